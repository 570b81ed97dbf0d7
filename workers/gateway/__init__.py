"""The HTTP side: posts in, documents and the feed out."""
