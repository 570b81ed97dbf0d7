"""Classification: questions put to the LLM about a post's candidates, and labels read from its replies."""

from linkner.classification.answers import parse_answer
from linkner.classification.per_span import Example, ask_about
from linkner.classification.prompt import NON_ENTITY, Prompt

__all__ = ["NON_ENTITY", "Example", "Prompt", "ask_about", "parse_answer"]
