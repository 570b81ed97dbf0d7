"""The store: documents, questions and entities in PostgreSQL, which is the truth."""
