"""The local model: SpanNER with uncertainty. The only part of `linkner` that imports torch."""
