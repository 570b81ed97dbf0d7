"""Classification: questions put to the LLM about a post's candidates, and labels read from its replies."""

from linkner.classification.answers import parse_answer
from linkner.classification.examples import Example
from linkner.classification.form import FORMS, Form, FormName, Question, Reading, ask, ask_at_once, read
from linkner.classification.per_span import ask_about
from linkner.classification.prompt import NON_ENTITY, Prompt
from linkner.classification.template import Template

__all__ = [
    "FORMS",
    "NON_ENTITY",
    "Example",
    "Form",
    "FormName",
    "Prompt",
    "Question",
    "Reading",
    "Template",
    "ask",
    "ask_about",
    "ask_at_once",
    "parse_answer",
    "read",
]
