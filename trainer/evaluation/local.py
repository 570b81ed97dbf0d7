"""The local model by itself: what it says of labelled sentences, recognised once for all later questions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from linkner import conll
from linkner.conll import Sentence
from linkner.recognition.recogniser import FLOOR, MAX_PLAUSIBLE, Recogniser
from linkner.scoring import Scores, score
from linkner.spans import LabelledSpan, Recognition, ScoredSpan, Span
from trainer.datasets import check_labels

_CHUNK = 256  # sentences between two reports of progress
_ALL = 1_000_000  # more spans than a sentence has


@dataclass(frozen=True, slots=True)
class Recognised:
    """Labelled sentences and what the local model says of them, in the same order. Spans count words.

    `recognitions` are what the recogniser gives a stream: its plausible spans are those above its floor, and
    no more than it gives of one post. `gold` is what the model says of the sentence's gold spans, likely or
    not; spans that the model does not look at (they are too long for it) are missing there.
    """

    sentences: tuple[Sentence, ...]
    recognitions: tuple[Recognition, ...]
    gold: tuple[Mapping[Span, ScoredSpan], ...]

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.sentences)

    def predicted(self) -> Iterator[tuple[ScoredSpan, bool]]:
        """Each entity that the local model predicts, and whether span and label are both gold."""
        for sentence, recognition in zip(self.sentences, self.recognitions, strict=True):
            gold = set(sentence.entities)
            for scored in recognition.entities:
                yield scored, LabelledSpan(scored.span, scored.label) in gold


def scored(sentences: Sequence[Sentence], found: Sequence[Recognition]) -> Scores:
    """Entity-level scores of the entities that were recognised in the sentences, in the same order."""
    return score(
        [sentence.entities for sentence in sentences],
        [[LabelledSpan(span.span, span.label) for span in one.entities] for one in found],
    )


def read_labelled(path: str | Path, *, labels: Collection[str]) -> list[Sentence]:
    """The sentences of a CoNLL file whose labels are all among these of a model.

    Raises:
        InputError: the file cannot be opened, holds no sentence, or has another label.
        FileFormatError: a line cannot be read.
    """
    sentences = conll.read(path)
    check_labels(sentences, path=path, labels=labels)
    return sentences


def recognise(
    recogniser: Recogniser, sentences: Sequence[Sentence], *, told: Callable[[int], None] = lambda _: None
) -> Recognised:
    """What the model says of the sentences; `told` hears now and then how many are done."""
    recognitions: list[Recognition] = []
    gold: list[Mapping[Span, ScoredSpan]] = []
    for begin in range(0, len(sentences), _CHUNK):
        chunk = sentences[begin : begin + _CHUNK]
        everything = recogniser.recognise_words(
            [sentence.words for sentence in chunk], floor=0.0, max_plausible=_ALL
        )
        for sentence, found in zip(chunk, everything, strict=True):
            wanted = {entity.span for entity in sentence.entities}
            spans = (*found.entities, *found.plausible)
            gold.append({scored.span: scored for scored in spans if scored.span in wanted})
            recognitions.append(_as_in_a_stream(found))
        told(len(recognitions))
    return Recognised(sentences=tuple(sentences), recognitions=tuple(recognitions), gold=tuple(gold))


def pooled(parts: Sequence[Recognised]) -> Recognised:
    """Several data sets as one."""
    return Recognised(
        sentences=tuple(one for part in parts for one in part.sentences),
        recognitions=tuple(one for part in parts for one in part.recognitions),
        gold=tuple(one for part in parts for one in part.gold),
    )


def _as_in_a_stream(found: Recognition) -> Recognition:
    likely = (scored for scored in found.plausible if scored.entity_probability >= FLOOR)
    return replace(found, plausible=tuple(likely)[:MAX_PLAUSIBLE])
