"""How sure the model is of a span: the four estimates of section 3.2 of the paper, larger = less sure."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

Method = Literal["confidence", "entropy", "mc-dropout", "mc-dropout-head", "evidential"]
"""Least confidence, prediction entropy, Monte Carlo dropout (the same, in the head alone: the encoder runs
once), evidential."""

Activation = Literal["exp", "softplus"]
"""What makes evidence, which is never negative, of logits."""

METHODS: tuple[Method, ...] = get_args(Method)
SAMPLING: tuple[Method, ...] = ("mc-dropout", "mc-dropout-head")
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

_MAX_LOGIT = 10.0  # e^10 is evidence enough (u < 0.001), and its square still fits a float


def evidence(logits: Tensor, activation: Activation) -> Tensor:
    """Non-negative evidence of the same shape; logits above 10 count as 10 under `exp`."""
    if activation == "exp":
        return logits.clamp(max=_MAX_LOGIT).exp()
    return functional.softplus(logits)


def least_confidence(probabilities: Tensor) -> Tensor:
    """Equation 1: 1 - max p over the last dimension, in [0, 1 - 1/C]."""
    return 1.0 - probabilities.amax(dim=-1)


def entropy(probabilities: Tensor) -> Tensor:
    """Equation 2: -Σ p log p over the last dimension, in [0, log C]; 0 log 0 counts as 0."""
    terms: Tensor = torch.special.entr(probabilities)
    return terms.sum(dim=-1)


def monte_carlo(passes: Tensor) -> tuple[Tensor, Tensor]:
    """Equation 3: mean probabilities [..., C] and mean entropy [...] of stochastic passes [M, ..., C]."""
    return passes.mean(dim=0), entropy(passes).mean(dim=0)


def evidential(logits: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
    """Equation 4: p = alpha / Σ alpha [..., C] and u = C / Σ alpha [...] in (0, 1]; alpha = evidence + 1."""
    alpha = evidence(logits, activation) + 1.0
    strength = alpha.sum(dim=-1)
    return alpha / strength[..., None], logits.shape[-1] / strength


def largest(method: Method, *, classes: int) -> float:
    """The largest u that the method can give for C `classes`."""
    if method == "evidential":
        return 1.0
    return 1.0 - 1.0 / classes if method == "confidence" else math.log(classes)


def estimate(logits: Tensor, *, method: Method, activation: Activation | None) -> tuple[Tensor, Tensor]:
    """Probabilities [..., C] and uncertainty [...] from the logits [M, ..., C] of M passes.

    Args:
        logits: methods without sampling read the first pass only.
        method: `evidential` needs an `activation`.
        activation: what makes evidence of the logits, and of that the probabilities; None for a model that
            was not trained for it, whose probabilities are the softmax of the logits.
    """
    if method == "evidential" and activation is not None:
        return evidential(logits[0], activation)
    passes = logits.softmax(dim=-1) if activation is None else evidential(logits, activation)[0]
    if method in SAMPLING:
        return monte_carlo(passes)
    return passes[0], (least_confidence if method == "confidence" else entropy)(passes[0])
