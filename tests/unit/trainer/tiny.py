"""A tiny task for the tests of training: the capitalised word is a person."""

from __future__ import annotations

from pathlib import Path

from linkner.conll import Sentence
from linkner.recognition.checkpoint import ModelConfig
from linkner.spans import LabelledSpan, Span
from trainer.recipe import Recipe
from trainer.training import train_model

NAMES, OTHERS = ("Zyx", "Qaz", "Wvu"), ("tree", "house", "rain", "seems", "green")


def sentences(count: int) -> list[Sentence]:
    """Sentences in which the capitalised word is a person."""
    made = []
    for index in range(count):
        words = [OTHERS[(index + place) % 5] for place in range(5)]
        words[index % 5] = NAMES[index % 3]
        made.append(Sentence(tuple(words), (LabelledSpan(Span(index % 5, index % 5 + 1), "person"),)))
    return made


def tiny_config(encoder: str) -> ModelConfig:
    """A model that learns the task in a few steps."""
    return ModelConfig(
        name="tiny",
        label_set="wnut17",
        labels=("person", "location"),
        encoder=encoder,
        lora_rank=4,
        max_span_length=2,
        hidden=16,
        window=98,
        dropout=0.0,
    )


def recipe(**changes: object) -> Recipe:
    """A short training on the CPU."""
    values: dict[str, object] = {
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.01,
        "head_learning_rate": 0.01,
        "half": False,
        "device": "cpu",
    }
    return Recipe(**{**values, **changes})  # type: ignore[arg-type]


def trained_model(encoder: str, folder: Path) -> Path:
    """The checkpoint of a model that was trained for some seconds, and is not sure of itself."""
    train_model(
        config=tiny_config(encoder),
        recipe=recipe(),
        train=sentences(120),
        dev=sentences(15),
        output=folder,
        report=lambda _: None,
    )
    return folder
