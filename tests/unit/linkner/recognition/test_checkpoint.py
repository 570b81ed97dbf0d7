from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from linkner.errors import CheckpointError, ConfigurationError
from linkner.recognition import checkpoint
from linkner.recognition.encoder import load_tokeniser
from linkner.recognition.features import Vectoriser
from tests.unit.linkner.recognition.models import stir, tiny_config


@pytest.fixture(scope="module")
def folder(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound checkpoint; tests that damage it take a copy."""
    path = tmp_path_factory.mktemp("checkpoint")
    config = tiny_config(tiny_encoder)
    checkpoint.save(path, checkpoint.trained_state(stir(checkpoint.build(config))), config)
    return path


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("lora_rank", [2, 0])
def test_a_loaded_model_gives_the_logits_of_the_saved_one(tiny_encoder, tmp_path, lora_rank) -> None:
    config = tiny_config(tiny_encoder, lora_rank=lora_rank)
    model = stir(checkpoint.build(config))
    checkpoint.save(tmp_path, checkpoint.trained_state(model), config)
    loaded, read, digest = checkpoint.load(tmp_path)
    vectoriser = Vectoriser(load_tokeniser(tiny_encoder), window=config.window, max_span_length=3)
    batch = vectoriser.collate(list(vectoriser.windows([["Anna", "saw", "Rome"]])))
    assert read == config
    assert len(digest) == 64
    torch.testing.assert_close(loaded(batch), model(batch), atol=0.02, rtol=0.02)  # half precision


def test_weights_are_in_half_precision_and_only_the_trained_ones(folder) -> None:
    state = load_file(folder / "model.safetensors")
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert all("lora_" in name for name in state if name.startswith("encoder."))


def test_weights_that_overflow_are_not_written(tiny_encoder, tmp_path) -> None:
    config = tiny_config(tiny_encoder)
    model = checkpoint.build(config)
    with torch.no_grad():
        model.head.start.bias[0] = 1e6
    with pytest.raises(CheckpointError, match=r"head\.start\.bias is not finite"):
        checkpoint.save(tmp_path, checkpoint.trained_state(model), config)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "another format"),
        ({"surprise": 1}, "unknown fields"),
        ({"uncertainty": "guess"}, "uncertainty of the model is out of range"),
        ({"labels": []}, "labels of the model is out of range"),
        ({"window": "large"}, "cannot be used"),
    ],
)
def test_a_wrong_configuration_is_refused(damaged, change, message) -> None:
    path = damaged / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(damaged)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 1}'])
def test_a_configuration_that_is_none_is_refused(damaged, content) -> None:
    (damaged / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        checkpoint.load(damaged)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(damaged, name) -> None:
    (damaged / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        checkpoint.load(damaged)


def test_truncated_weights_are_refused(damaged) -> None:
    path = damaged / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.load(damaged)


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95not a pickle either", b"\xff" * 64])
def test_anything_but_safetensors_is_refused(damaged, content) -> None:
    (damaged / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="safetensors"):
        checkpoint.load(damaged)


def test_weights_that_do_not_fit_are_named(damaged) -> None:
    path = damaged / "model.safetensors"
    state = load_file(path)
    for message, changed in (
        ("lacks", {name: value for name, value in state.items() if name != "head.start.bias"}),
        ("unknown", {**state, "head.other": torch.zeros(1)}),
        ("another shape", {**state, "head.start.bias": torch.zeros(1)}),
    ):
        save_file(changed, path)
        with pytest.raises(CheckpointError, match=message) as caught:
            checkpoint.load(damaged)
        assert "head." in str(caught.value)


def test_an_encoder_that_is_not_there_is_named(damaged) -> None:
    path = damaged / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "encoder": str(damaged)}))
    with pytest.raises(ConfigurationError, match="cannot read the encoder"):
        checkpoint.load(damaged)


def test_a_window_beyond_the_encoder_is_refused(tiny_encoder) -> None:
    with pytest.raises(ConfigurationError, match="too large"):
        checkpoint.build(tiny_config(tiny_encoder, window=513))
