"""What an LLM whose replies were recorded would answer to a question, in the form that it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
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
    reply: dict[str, Any] = {str(number): label for number, label in enumerate(said, start=1)}
    if MORE in schema["properties"]:
        added = (one for one in entities if one.span not in question.candidates)
        reply[MORE] = [{"text": one.span.of(question.text), "type": one.label} for one in added]
    return json.dumps(reply, ensure_ascii=False)
