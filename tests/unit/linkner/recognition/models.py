"""Small models for the tests."""

from __future__ import annotations

import torch

from linkner.recognition.checkpoint import ModelConfig, build
from linkner.recognition.encoder import load_tokeniser, merge_lora
from linkner.recognition.features import Vectoriser
from linkner.recognition.recogniser import Recogniser
from linkner.recognition.spanner import SpanNer


def tiny_config(encoder: str, **changes: object) -> ModelConfig:
    """The configuration of a tiny model over the tiny encoder."""
    values: dict[str, object] = {
        "name": "tiny",
        "label_set": "wnut17",
        "labels": ("person", "location"),
        "encoder": encoder,
        "lora_rank": 2,
        "max_span_length": 3,
        "hidden": 8,
        "window": 98,
    }
    return ModelConfig(**{**values, **changes})  # type: ignore[arg-type]


def stir(model: SpanNer, *, scale: float = 0.2) -> SpanNer:
    """Give every trained weight a value: fresh adapters and shapes are zero, and change nothing."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.copy_(torch.randn(value.shape, generator=generator) * scale)
    return model.eval()


def tiny_recogniser(encoder: str, *, outside: float = 1.6, **changes: object) -> Recogniser:
    """A recogniser with random weights, which finds all kinds of things; `outside` is that class' bias."""
    config = tiny_config(encoder, **changes)
    model = stir(build(config), scale=0.4)
    with torch.no_grad():
        model.head.classify.bias.copy_(torch.tensor([outside, 0.0, 0.0]))
    model.encoder = merge_lora(model.encoder)
    vectoriser = Vectoriser(
        load_tokeniser(encoder), window=config.window, max_span_length=config.max_span_length
    )
    return Recogniser(model, config, vectoriser, device="cpu", half=False)
