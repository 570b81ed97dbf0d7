"""The label that an LLM states in a reply to a question about one span."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from linkner.labels import LabelSet
from linkner.spans import OUTSIDE

_LONGEST_REPLY = 4_000  # characters that are read: no answer needs more

# The patterns are for text as `_normalised` leaves it: lower case, no quotes, one space.
_NON_ENTITY_NAMES = ("none", "o", "outside")
_PREFACE_WORD = (
    r"(?:a|also|an|and|answer|as|be|best|category|choice|choose|class|classification|context|correct|entity|final"
    r"|here|i|in|is|it|its|json|label|likely|maybe|most|my|named|of|ok|okay|option|or|output|possibly|probably"
    r"|result|say|select|should|so|sure|that|the|therefore|think|this|to|type|was|would|yes|[0-9]+)"
)
_PREFACE = re.compile(rf"(?:{_PREFACE_WORD}(?: |$))*|\S+")
_ARTICLES = r"(?:(?:a|an|any|the|be|as|of|type|kind|really|actually|necessarily|exactly) )*"
_NOT = r"(?:not|no|isnt|arent|wasnt|doesnt|never|neither|nor|cannot|than|instead[ ]of|unlike)"
_NOT_AN_ENTITY = re.compile(
    rf"""
      \b non[ ]?(?:named[ ])? entit(?:y|ies) \b
    | \b {_NOT}[ ]
      (?:(?:a|an|any|the|be|really|actually|refers?|referring|represents?|to|named|proper|valid|specific)[ ])*
      entit(?:y|ies) \b (?![ ]type)
    | \b none[ ]of[ ](?:the|these|those|them) \b
      (?:[ ](?:above|given|listed|entity|types|options|categories|labels))*
    """,
    re.VERBOSE,
)
_CLAUSE_END = re.compile(r"[^\w\s]|\n|\b(?:because|since)\b")
_DOUBT = re.compile(
    r"\b(?:whether|if|unclear|unsure|unknown|cannot|cant|could|might|may|maybe|perhaps|unable)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?\n])")


def parse_answer(reply: str, label_set: LabelSet) -> str | None:
    """The label that a reply states, `OUTSIDE` for Non-entity, None where it states none or more than one.

    A label is stated where it makes up a whole clause, but for words like "the answer is". What is stated
    before any explanation is the answer, unless it is more than one label. In a reply that states nothing,
    the only label that is named, and not negated or doubted, is the answer. Questions are not read.
    """
    names = _names_of(label_set)
    text = names.negated.sub(" ", _normalised(reply))
    found = names.stated(" ".join(clause.split()) for clause in _CLAUSE_END.split(text))
    if not found and not _DOUBT.search(text):
        found = {names.labels[name] for name in names.proper.findall(text)}
    return found.pop() if len(found) == 1 else None


def said(reply: str) -> str:
    """What a reply says after its reasoning, cut to the length that is read."""
    return reply.rpartition("</think>")[2].partition("<think>")[0][:_LONGEST_REPLY]


def _normalised(reply: str) -> str:
    """The reply in lower case, without reasoning, questions, emphasis, quotes and hyphens inside words."""
    text = unicodedata.normalize("NFKC", said(reply)).casefold()
    text = "".join(sentence for sentence in _SENTENCE_END.split(text) if not sentence.endswith("?"))
    text = re.sub(r"(?<=\w)\\?[-_‐](?=\w)", " ", text)
    text = re.sub(r"(?<=\w)['’](?=\w)", "", text)
    text = re.sub(r"""[*`_"'“”„«»‹›‘’]|[^\S\n]""", " ", text)
    return _NOT_AN_ENTITY.sub("nonentity", re.sub(" +", " ", text))


@dataclass(frozen=True, slots=True)
class _Names:
    """What the labels of a set are called in replies, and where a name counts."""

    labels: Mapping[str, str]
    statement: re.Pattern[str]
    every: re.Pattern[str]
    proper: re.Pattern[str]
    negated: re.Pattern[str]

    def stated(self, clauses: Iterable[str]) -> set[str]:
        """The labels of the clauses made up of labels, from the first of them to the next one of prose."""
        found: set[str] = set()
        for clause in clauses:
            if self.statement.fullmatch(clause):
                found.update(self.labels[name] for name in self.every.findall(clause))
            elif found and not _PREFACE.fullmatch(clause):
                break
        return found


def _names_of(label_set: LabelSet) -> _Names:
    return _compile_names(
        label_set.labels, tuple(label_set.synonyms.get(label, ()) for label in label_set.labels)
    )


@lru_cache(maxsize=64)
def _compile_names(labels: tuple[str, ...], synonyms: tuple[tuple[str, ...], ...]) -> _Names:
    proper = {name: label for label in labels for name in _forms(label)} | {"nonentity": OUTSIDE}
    others = {
        name: label
        for label, names in ((OUTSIDE, _NON_ENTITY_NAMES), *zip(labels, synonyms, strict=True))
        for synonym in names
        for name in _forms(synonym)
    }
    every = _either(proper | others)
    return _Names(
        labels=others | proper,
        statement=re.compile(
            rf"(?:(?:{_PREFACE_WORD} )*{every}(?: |$))+(?:(?:entity|type|name|label|category)(?: |$))*"
        ),
        every=re.compile(rf"\b{every}\b"),
        proper=re.compile(rf"\b{_either(proper)}\b"),
        negated=re.compile(
            rf"\b{_NOT} {_ARTICLES}{every}\b"
            rf"(?:(?: ?, ?(?:(?:or|nor|and) )?| (?:or|nor|and) ){_ARTICLES}{every}\b)*"
        ),
    )


def _forms(name: str) -> set[str]:
    """Spellings of one name: words apart or together, singular or plural."""
    spaced = re.sub(r"[-_]", " ", name).casefold()
    singular = {spaced, spaced.replace(" ", "")}
    return singular | {re.sub("y$", "ie", form) + "s" for form in singular}


def _either(names: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})"
