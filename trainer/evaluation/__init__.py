"""Evaluation: the local model against gold entities, and linked to an LLM that is called or replayed."""
