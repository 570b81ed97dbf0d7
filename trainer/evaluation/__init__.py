"""Evaluation: the local model against gold entities, and linked to an LLM that is called or replayed.

Recognising is slow and done once (`local.recognise`); linking (`linked.link_all`) and measuring
(`report.measure`, `metrics`) are fast, and are done again for every setting that is looked at.
"""
