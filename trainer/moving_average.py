"""A running average of a model's weights: steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class MovingAverage:
    """The exponential moving average of `parameters`; it remembers about 1 / (1 - decay) steps.

    Args:
        parameters: updated in place by an optimiser.
        decay: in [0, 1); 0 keeps the last step's weights.
    """

    def __init__(self, parameters: Sequence[Tensor], *, decay: float) -> None:
        self._parameters = parameters
        self._averages = [value.detach().clone() for value in parameters]
        self._decay = decay
        self._steps = 0

    @property
    def averages(self) -> Sequence[Tensor]:
        """The average of each parameter, in their order."""
        return self._averages

    @torch.no_grad()
    def resume(self, averages: Sequence[Tensor], *, steps: int) -> None:
        """Go on from these averages, which took in `steps` steps."""
        self._steps = steps
        for average, value in zip(self._averages, averages, strict=True):
            average.copy_(value)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after one more step; the first steps count for more, as there are few."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for average, value in zip(self._averages, self._parameters, strict=True):
            average.lerp_(value, 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages stand in the parameters' place until the block ends."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, value in zip(self._averages, self._parameters, strict=True):
            kept = value.clone()
            value.copy_(average)
            average.copy_(kept)
