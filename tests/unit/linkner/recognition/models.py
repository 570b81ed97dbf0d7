"""Small models for the tests."""

from __future__ import annotations

import torch

from linkner.recognition.checkpoint import ModelConfig
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
