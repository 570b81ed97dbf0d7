from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from linkner.conll import Sentence
from linkner.errors import CheckpointError, ConfigurationError, InputError
from linkner.recognition import checkpoint
from linkner.recognition.checkpoint import ModelConfig
from linkner.recognition.recogniser import Recogniser
from linkner.spans import LabelledSpan, Span
from tests.unit.trainer.tiny import recipe, sentences, tiny_config
from trainer.evaluation.local import scored
from trainer.recipe import Progress, Recipe
from trainer.training import Place, _rate, train_model


@pytest.fixture
def config(tiny_encoder: str) -> ModelConfig:
    return tiny_config(tiny_encoder)


def run(config: ModelConfig, how: Recipe, output: Path, **changes: object) -> tuple[float, list[Progress]]:
    told: list[Progress] = []
    values: dict[str, object] = {"train": sentences(120), "dev": sentences(15)}
    best = train_model(config=config, recipe=how, output=output, report=told.append, **{**values, **changes})  # type: ignore[arg-type]
    return best, told


def f1(recogniser: Recogniser) -> float:
    """On dev."""
    found = recogniser.recognise_words([sentence.words for sentence in sentences(15)])
    return scored(sentences(15), found).micro.f1


@pytest.mark.parametrize(("loss", "uncertainty"), [("e-ner", "evidential"), ("cross-entropy", "entropy")])
def test_training_learns_and_writes_the_best_epoch(config, tmp_path, loss, uncertainty) -> None:
    best, told = run(replace(config, uncertainty=uncertainty), recipe(loss=loss, epochs=5), tmp_path)
    epochs = [one for one in told if one.dev is not None]
    assert best == max(one.dev.micro.f1 for one in epochs) > 0.9
    assert epochs[-1].loss < epochs[0].loss
    saved = Recogniser.from_pretrained(tmp_path, device="cpu", half=False)
    assert f1(saved) == pytest.approx(best, abs=0.05)  # the weights were rounded to half precision


def test_progress_counts_steps_and_epochs(config, tmp_path) -> None:
    _, told = run(config, recipe(epochs=2), tmp_path)
    assert [one.epoch for one in told if one.dev is not None] == [1, 2]
    assert [one.step for one in told] == sorted(one.step for one in told)
    assert told[-1].step == told[-1].steps == 30


def test_the_same_seed_trains_the_same_model(config, tmp_path) -> None:
    first = run(config, recipe(epochs=1), tmp_path / "a")
    second = run(config, recipe(epochs=1), tmp_path / "b")
    assert first == second
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


def test_another_seed_trains_another_model(config, tmp_path) -> None:
    _, first = run(config, recipe(epochs=1), tmp_path / "a")
    _, second = run(config, recipe(epochs=1, seed=2), tmp_path / "b")
    assert first[-1].loss != second[-1].loss


def test_training_stops_when_dev_does_not_improve(config, tmp_path) -> None:
    nothing_to_find = [Sentence(("tree", "house"), ())] * 4
    best, told = run(config, recipe(epochs=9, patience=2), tmp_path, dev=nothing_to_find)
    assert best == 0.0
    assert [one.best for one in told if one.dev is not None] == [True, False, False]


def test_divergence_is_an_error_and_not_a_checkpoint(config, tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"diverged|not finite"):
        run(
            config,
            recipe(learning_rate=1e30, head_learning_rate=1e30, warmup=0.0),
            tmp_path,
        )
    assert not (tmp_path / "model.safetensors").exists()


def test_workers_share_the_batches_and_only_the_first_writes(config, tmp_path) -> None:
    seen: list[list[int]] = []
    for rank in range(2):
        place = Place(rank=rank, workers=2)
        _, told = run(config, recipe(epochs=1), tmp_path / str(rank), place=place)
        seen.append([one.step for one in told])
    assert seen == [[7], []], "15 batches are 7 for each of two workers"
    assert (tmp_path / "0" / "model.safetensors").exists()
    assert not (tmp_path / "1").exists()


def test_the_wrapped_model_is_the_one_that_learns(config, tmp_path) -> None:
    calls = []

    class Counting(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *arguments: object, **options: object) -> object:
            calls.append(arguments)
            return self.inner(*arguments, **options)

    run(config, recipe(epochs=1), tmp_path, place=Place(wrap=Counting))
    assert len(calls) == 15


def test_training_can_begin_from_a_checkpoint_with_other_labels(config, tmp_path) -> None:
    run(config, recipe(epochs=5), tmp_path / "first")
    other = replace(config, labels=("group", "person", "product"))
    _, fresh = run(other, recipe(epochs=1), tmp_path / "fresh")
    _, begun = run(other, recipe(epochs=1), tmp_path / "begun", start=tmp_path / "first")
    assert begun[-1].loss < fresh[-1].loss


def test_with_the_same_labels_it_begins_from_all_of_the_checkpoint(config, tmp_path) -> None:
    run(config, recipe(epochs=1), tmp_path / "first")
    still = recipe(epochs=1, learning_rate=1e-12, head_learning_rate=1e-12, seed=2)
    run(config, still, tmp_path / "same", start=tmp_path / "first")
    first, same = (checkpoint.read_weights(tmp_path / one) for one in ("first", "same"))
    assert torch.equal(first["head.classify.weight"], same["head.classify.weight"])
    run(replace(config, labels=("group", "person")), still, tmp_path / "other", start=tmp_path / "first")
    other = checkpoint.read_weights(tmp_path / "other")
    assert not torch.equal(first["head.classify.weight"], other["head.classify.weight"])


def test_a_checkpoint_of_other_sizes_is_no_beginning(config, tmp_path) -> None:
    run(config, recipe(epochs=1), tmp_path / "first")
    with pytest.raises(CheckpointError, match="another shape"):
        run(replace(config, hidden=8), recipe(), tmp_path / "second", start=tmp_path / "first")


def test_a_loss_that_does_not_train_the_uncertainty_is_refused(config, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="cross-entropy with evidential"):
        run(config, recipe(loss="cross-entropy"), tmp_path)


@pytest.mark.parametrize("which", ["train", "dev"])
def test_data_with_other_labels_is_refused(config, tmp_path, which) -> None:
    other = [Sentence(("Nirvana",), (LabelledSpan(Span(0, 1), "group"),))]
    with pytest.raises(InputError, match="group"):
        run(config, recipe(), tmp_path, **{which: other})


@pytest.mark.parametrize(
    ("which", "problem"),
    [("train", "too few sentences to train on"), ("dev", "the dev data holds no sentence")],
)
def test_no_data_is_refused(config, tmp_path, which, problem) -> None:
    with pytest.raises(InputError, match=problem):
        run(config, recipe(), tmp_path, **{which: []})


def test_less_than_a_batch_for_each_worker_is_refused(config, tmp_path) -> None:
    with pytest.raises(InputError, match="at least 16, one batch for each of 2 workers"):
        run(config, recipe(), tmp_path, train=sentences(15), place=Place(rank=0, workers=2))


def test_a_sentence_of_ten_thousand_words_is_learned_whole(config, tmp_path) -> None:
    words = [word for sentence in sentences(2_000) for word in sentence.words]
    people = [place for place, word in enumerate(words) if word[0].isupper()]
    long = Sentence(tuple(words), tuple(LabelledSpan(Span(at, at + 1), "person") for at in people))
    assert len(long.words) == 10_000
    best, _ = run(config, recipe(epochs=1), tmp_path, train=[long])
    assert best > 0.9


@pytest.mark.parametrize("change", [{"entity_replacement": 0.5}, {"typos": 0.3}])
def test_augmented_training_learns(config, tmp_path, change) -> None:
    best, _ = run(config, recipe(epochs=4, **change), tmp_path)
    assert best > 0.9


def test_a_model_with_a_bottleneck_learns_and_is_read_back(config, tmp_path) -> None:
    narrow = replace(config, bottleneck=True)
    best, _ = run(narrow, recipe(epochs=6, bottleneck=1e-4), tmp_path)
    assert best > 0.9
    saved = Recogniser.from_pretrained(tmp_path, device="cpu", half=False)
    assert f1(saved) == pytest.approx(best, abs=0.05)


def test_a_dear_bottleneck_lets_nothing_through(config, tmp_path) -> None:
    best, _ = run(replace(config, bottleneck=True), recipe(epochs=2, bottleneck=100.0), tmp_path)
    assert best < 0.5


def test_a_price_without_a_bottleneck_is_refused(config, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="bottleneck"):
        run(config, recipe(bottleneck=1e-3), tmp_path)


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        (0.2, {0.0: 0.0, 0.1: 0.5, 0.2: 1.0, 0.6: 0.5, 1.0: 0.0}),
        (0.0, {0.0: 1.0, 0.25: 0.75, 0.5: 0.5, 1.0: 0.0}),
    ],
)
def test_the_learning_rate_rises_to_the_end_of_the_warm_up_and_falls_to_nothing(warmup, rates) -> None:
    assert {progress: _rate(progress, warmup) for progress in rates} == pytest.approx(rates)
    points = [step / 100 for step in range(101)]
    rising = [_rate(at, warmup) for at in points if at <= warmup]
    falling = [_rate(at, warmup) for at in points if at >= warmup]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"loss": "hinge"}, {"learning_rate": 0.0}, {"warmup": 1.0}, {"penalty": 0.0}]
)
def test_a_recipe_out_of_range_is_refused(change) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        recipe(**change)
