"""What an LLM whose replies were recorded would answer to a question, in the form that it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from linkner.classification import NON_ENTITY, Question
from linkner.classification.packed import MORE
from linkner.spans import OUTSIDE, LabelledSpan, Span


def answer_to(
    question: Question, *, label_of: Callable[[Span], str], entities: Iterable[LabelledSpan]
) -> str:
    """The reply: a label, or a JSON object with one for each candidate.

    Where the LLM may add names, it adds the recorded entities that are none of the question's candidates.

    Args:
        question: as it is put to the LLM.
        label_of: the recorded label of a candidate of the question, `OUTSIDE` for Non-entity.
        entities: those that were recorded for the text, in code points.
    """
    said = [NON_ENTITY if (label := label_of(span)) == OUTSIDE else label for span in question.candidates]
    schema = question.prompt.schema
    if schema is None:
        return said[0]
    if MORE not in schema["properties"]:
        return packed_reply(said)
    added = (one for one in entities if one.span not in question.candidates)
    return packed_reply(said, added=[(one.span.of(question.text), one.label) for one in added])


def packed_reply(said: Sequence[str], *, added: Sequence[tuple[str, str]] | None = None) -> str:
    """The JSON object of what is said of each candidate, and of what is added, as (surface, label)."""
    reply: dict[str, Any] = {str(number): label for number, label in enumerate(said, start=1)}
    if added is not None:
        reply[MORE] = [{"text": surface, "type": label} for surface, label in added]
    return json.dumps(reply, ensure_ascii=False)
