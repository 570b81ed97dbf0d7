"""Recognition, detection and classification of named entities: the pure core of LinkNER.

Its only I/O is with files, in its own formats: it knows no queue, server or database. Importing it never
imports torch: the local model lives under `linkner.recognition` and is imported by name only where it runs.
"""
