"""Training losses over spans: cross entropy, and the E-NER loss of appendix B of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from linkner.recognition.uncertainty import Activation, evidence

LossName = Literal["cross-entropy", "e-ner"]
LOSSES: tuple[LossName, ...] = get_args(LossName)


@dataclass(frozen=True, slots=True)
class Balance:
    """Weights of the two penalty terms of equation 8, each at least 0."""

    divergence: float
    uncertainty: float


def annealed(start: float, *, progress: float) -> float:
    """A weight that grows geometrically from `start` (in (0, 1]) at progress 0 to 1 at progress 1."""
    return float(start ** (1.0 - progress))


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy of `logits` [S, C] against class indices `targets` [S]."""
    return functional.cross_entropy(logits, targets)


def e_ner(logits: Tensor, targets: Tensor, *, activation: Activation, balance: Balance) -> Tensor:
    """Equations 6 to 8, as the mean over the S spans of `logits` [S, C] and class indices `targets` [S]."""
    alpha = evidence(logits, activation) + 1.0
    truth = functional.one_hot(targets, logits.shape[-1]).to(alpha.dtype)
    loss = _classification(alpha, truth)
    loss = loss + balance.divergence * _divergence_from_uniform(truth + (1.0 - truth) * alpha)
    wrong = logits.argmax(dim=-1) != targets
    log_uncertainty = torch.log(logits.shape[-1] / alpha.sum(dim=-1))
    return (loss - balance.uncertainty * wrong * log_uncertainty).mean()


def _classification(alpha: Tensor, truth: Tensor) -> Tensor:
    """Equation 7 for each span: evidence gathers on the right class, less so the more of it there is."""
    strength = alpha.sum(dim=-1, keepdim=True)
    weight = (1.0 - (alpha - 1.0) / strength) * truth
    return (weight * (torch.digamma(strength) - torch.digamma(alpha))).sum(dim=-1)


def _divergence_from_uniform(alpha: Tensor) -> Tensor:
    """KL[Dir(alpha) || Dir(1)] for each span, from alpha [S, C]."""
    strength = alpha.sum(dim=-1)
    normaliser = torch.lgamma(strength) - torch.lgamma(alpha).sum(dim=-1)
    normaliser = normaliser - torch.lgamma(torch.full_like(strength, alpha.shape[-1]))
    spread = (alpha - 1.0) * (torch.digamma(alpha) - torch.digamma(strength)[:, None])
    return normaliser + spread.sum(dim=-1)
