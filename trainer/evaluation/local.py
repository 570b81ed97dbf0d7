"""The local model by itself: what it says of labelled sentences, recognised once for every later question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.recognition.recogniser import Recogniser
from linkner.scoring import Scores, score
from linkner.spans import LabelledSpan, Recognition, ScoredSpan

_CHUNK = 128  # sentences between two reports of progress


@dataclass(frozen=True, slots=True)
class Recognised:
    """Labelled sentences and the recognition of each, with all of their spans: nothing is cut off."""

    sentences: Sequence[Sentence]
    recognitions: Sequence[Recognition]

    def __iter__(self) -> Iterator[tuple[Sentence, Recognition]]:
        return zip(self.sentences, self.recognitions, strict=True)

    def predicted(self) -> Iterator[tuple[ScoredSpan, bool]]:
        """Each predicted entity of all sentences, and whether both its span and its label are gold."""
        for sentence, recognition in self:
            gold = set(sentence.entities)
            for scored in recognition.entities:
                yield scored, LabelledSpan(scored.span, scored.label) in gold


def evaluate(recogniser: Recogniser, sentences: Sequence[Sentence]) -> Scores:
    """Entity-level scores of the recogniser's entities on the words as the sentences have them."""
    found = recogniser.recognise_words([sentence.words for sentence in sentences], max_plausible=0)
    return score(
        [sentence.entities for sentence in sentences],
        [[LabelledSpan(span.span, span.label) for span in one.entities] for one in found],
    )


def recognise(
    recogniser: Recogniser, sentences: Sequence[Sentence], *, report: Callable[[int], None] = lambda _: None
) -> Recognised:
    """Recognise all sentences; `report` is told how many more are done, again and again.

    Raises:
        InputError: there is no sentence, or an entity's label is not one of the model's.
    """
    if not sentences:
        raise InputError("there is nothing to evaluate on", expected="at least one sentence")
    unknown = {entity.label for sentence in sentences for entity in sentence.entities}
    unknown -= set(recogniser.config.labels)
    if unknown:
        raise InputError(
            f"the data has labels that {recogniser.name} lacks",
            expected=", ".join(recogniser.config.labels),
            got=", ".join(sorted(unknown)),
            hint="take a model of the data's label set, or map the labels",
        )
    recognitions: list[Recognition] = []
    for begin in range(0, len(sentences), _CHUNK):
        words = [sentence.words for sentence in sentences[begin : begin + _CHUNK]]
        recognitions += recogniser.recognise_words(words, floor=0.0, max_plausible=1_000_000)
        report(len(words))
    return Recognised(sentences=tuple(sentences), recognitions=tuple(recognitions))
