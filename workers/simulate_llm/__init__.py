"""A server with an OpenAI-compatible endpoint that replays recorded replies, and misbehaves when told to.

It stands where an LLM would, for demonstrations, tests and load: everything it serves says that it is a
replay, and a question whose reply was not recorded is refused, never answered from thin air.
"""
