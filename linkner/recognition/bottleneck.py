"""A variational information bottleneck on the vectors of spans (Alemi et al., ICLR 2017).

The paper's VaniIB: what a span's vector may say is paid for, so that it says less about the very words and
more about the class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LOG_VARIANCE = -4.0  # begins as nearly no noise: the head learns first, then the price tells


class Bottleneck(nn.Module):
    """Turns each vector into a Gaussian, of which training takes a sample and recognition the mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean = nn.Linear(width, width)
        self.log_variance = nn.Linear(width, width)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, _LOG_VARIANCE)
        self.divergence = torch.empty(0)
        """[...]: KL[N(mean, variance) || N(0, 1)] of each vector of the last pass in training, in nats."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors [..., h] from vectors [..., h]."""
        mean: Tensor = self.mean(vectors)
        if not self.training:
            return mean
        log_variance: Tensor = self.log_variance(vectors)
        self.divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=-1)
        return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
