"""Recognition, detection and classification of named entities: the pure core of LinkNER.

Nothing here does I/O, and importing it never imports torch: the local model lives under
`linkner.recognition` and is imported by name only where it runs.
"""
