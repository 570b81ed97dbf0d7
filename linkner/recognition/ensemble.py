"""Several models read as one: the mean of what they say of each span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from linkner.errors import ConfigurationError
from linkner.recognition.decoding import Limits
from linkner.recognition.recogniser import FLOOR, MAX_PLAUSIBLE, Recogniser, choose
from linkner.spans import Recognition


class Ensemble:
    """Recognisers whose probabilities, and whose uncertainty, are averaged span by span.

    Args:
        members: one or more, over the same encoder, sizes and labels, so that they see the same spans.

    Raises:
        ConfigurationError: there is none, or they differ in what they look at.
    """

    def __init__(self, members: Sequence[Recogniser]) -> None:
        views = {_view(member) for member in members}
        if len(views) != 1:
            raise ConfigurationError(
                "these models cannot be read as one",
                expected="one or more of one encoder, window, span length and set of labels",
                got="; ".join(f"{member.name}: {_view(member)}" for member in members) or "none",
            )
        self._members = tuple(members)
        self.labels = members[0].labels

    def recognise_words(
        self, sentences: Sequence[Sequence[str]], *, floor: float = FLOOR, max_plausible: int = MAX_PLAUSIBLE
    ) -> list[Recognition]:
        """As `Recogniser.recognise_words`."""
        computed = [member.compute(sentences) for member in self._members]
        estimates = [member.estimates(one) for member, one in zip(self._members, computed, strict=True)]
        limits = Limits(floor=floor, most=max_plausible)
        return choose(computed[0], _means(estimates), labels=self.labels, limits=limits)


def _means(estimates: Sequence[Sequence[tuple[Tensor, Tensor]]]) -> Iterator[tuple[Tensor, Tensor]]:
    """The mean over the members, batch by batch."""
    count = len(estimates)
    for batch in zip(*estimates, strict=True):
        yield (
            sum((probabilities for probabilities, _ in batch[1:]), start=batch[0][0]) / count,
            sum((uncertainty for _, uncertainty in batch[1:]), start=batch[0][1]) / count,
        )


def _view(member: Recogniser) -> tuple[str, int, int, tuple[str, ...]]:
    config = member.config
    return config.encoder, config.window, config.max_span_length, config.labels
