"""Words as the model reads them: shapes, wordpieces, and windows that fit the encoder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from linkner.errors import ConfigurationError

MAX_PIECES_PER_WORD = 8
"""Wordpieces of one word that the encoder reads; it does not see the rest of a longer one (a URL, mostly)."""

MIN_OVERLAP = 32
"""Words that two neighbouring windows share at least, where the windows are large enough for it."""

_URL = re.compile(r"(?:https?://|www\.)", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")

_SHAPES: tuple[Callable[[str], bool], ...] = (
    lambda body: body[:1].isupper() and body[1:].islower(),  # Paris
    lambda body: len(body) > 1 and body.isupper(),  # NASA
    lambda body: len(body) == 1 and body.isupper(),  # I
    lambda body: body.islower(),  # tree
    lambda body: any(map(str.isupper, body[1:])) and any(map(str.islower, body)),  # iPhone, McCartney
    lambda body: any(map(str.isdigit, body)),  # G20
    lambda body: body.isdigit(),  # 2017
    lambda body: not any(map(str.isalnum, body)),  # !?
    lambda body: not body.isascii(),  # café
)
_HASHTAG, _HANDLE, _LINK = (1 << len(_SHAPES) + index for index in range(3))

SHAPE_BITS = len(_SHAPES) + 3
"""Bits in a word's shape."""


@lru_cache(maxsize=65_536)
def word_shape(word: str) -> int:
    """The morphology of a word as a bit mask: case, digits, punctuation; hashtag, handle, link.

    An uncased encoder does not see it. The case of a hashtag or handle is that of its body.
    """
    sigil = {"#": _HASHTAG, "@": _HANDLE}.get(word[:1], 0) if len(word) > 1 else 0
    body = word[1:] if sigil else word
    link = _LINK if _URL.match(word) else 0
    return sigil | link | sum(1 << index for index, has in enumerate(_SHAPES) if has(body))


@dataclass(frozen=True, slots=True)
class Window:
    """Words of one sentence that the encoder reads at once.

    `first` is the offset of its first word in the sentence, `pieces` the wordpieces of each word. A span is
    classified by the one window that owns its start: word `owned[0] <= start < owned[1]` of this window.
    """

    sentence: int
    first: int
    pieces: tuple[tuple[int, ...], ...]
    shapes: tuple[int, ...]
    owned: tuple[int, int]

    @property
    def length(self) -> int:
        """Tokens of the window, the two special ones included."""
        return sum(map(len, self.pieces)) + 2


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows as tensors, padded to P tokens and N words.

    `tokens` and `attention` are [B, P]; `word_of_token` [B, P] has each token's word, -1 for special tokens
    and padding; `shapes` [B, N] are bit masks of `word_shape`; `words` [B] counts each window's words.
    """

    tokens: Tensor
    attention: Tensor
    word_of_token: Tensor
    shapes: Tensor
    words: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        moved = (getattr(self, name).to(device, non_blocking=True) for name in self.__slots__)
        return Batch(*moved)

    def span_mask(self, max_span_length: int) -> Tensor:
        """[B, N, L] bool: which (start, length - 1) pairs are spans of the window's words."""
        width = self.shapes.shape[1]
        starts = torch.arange(width, device=self.words.device)[:, None]
        lengths = torch.arange(max_span_length, device=self.words.device)[None, :]
        return (starts + lengths)[None] < self.words[:, None, None]


class Vectoriser:
    """Turns sentences into windows, and windows into batches, for one tokeniser.

    `unknown` and `mask` are the tokens for what has no wordpieces and for what is hidden.

    Args:
        tokeniser: a fast Hugging Face tokeniser with a classifier and a separator token (BERT-like).
        window: tokens that the encoder reads at once, special tokens included.
        max_span_length: words of the longest span; windows overlap so that none is cut.

    Raises:
        ConfigurationError: the tokeniser lacks those tokens, or the window is too small for such spans.
    """

    def __init__(self, tokeniser: Any, *, window: int, max_span_length: int) -> None:
        special = (tokeniser.cls_token_id, tokeniser.sep_token_id, tokeniser.pad_token_id)
        if None in special or not tokeniser.is_fast:
            raise ConfigurationError(
                "the encoder's tokeniser does not fit",
                expected="a fast tokeniser with classifier, separator and padding tokens, as BERT's",
                got=type(tokeniser).__name__,
            )
        if (window - 2) // MAX_PIECES_PER_WORD < 4 * max_span_length:
            raise ConfigurationError(
                f"a window of {window} tokens is too small for spans of {max_span_length} words",
                expected=f"at least {4 * max_span_length * MAX_PIECES_PER_WORD + 2} tokens",
            )
        self._tokeniser = tokeniser
        self._cls, self._sep, self._pad = special
        self.unknown: int = tokeniser.unk_token_id if tokeniser.unk_token_id is not None else self._sep
        self.mask: int = tokeniser.mask_token_id if tokeniser.mask_token_id is not None else self.unknown
        self._capacity = window - 2
        self._max_span_length = max_span_length

    def windows(self, sentences: Sequence[Sequence[str]]) -> Iterator[Window]:
        """The windows of all sentences, in order; a sentence without words has none."""
        for index, (words, pieces) in enumerate(zip(sentences, self._pieces(sentences), strict=True)):
            if words:
                yield from self._cut(index, words, pieces)

    def collate(self, windows: Sequence[Window]) -> Batch:
        """The windows as one padded batch, in the same order."""
        width, words = max(w.length for w in windows), max(len(w.pieces) for w in windows)
        tokens, owners, shapes = [], [], []
        for window in windows:
            row = [self._cls, *(piece for word in window.pieces for piece in word), self._sep]
            owner = [-1, *(place for place, word in enumerate(window.pieces) for _ in word), -1]
            tokens.append(row + [self._pad] * (width - len(row)))
            owners.append(owner + [-1] * (width - len(owner)))
            shapes.append([*window.shapes, *[0] * (words - len(window.shapes))])
        lengths = torch.tensor([window.length for window in windows])
        return Batch(
            tokens=torch.tensor(tokens),
            attention=(torch.arange(width)[None, :] < lengths[:, None]).long(),
            word_of_token=torch.tensor(owners),
            shapes=torch.tensor(shapes),
            words=torch.tensor([len(window.pieces) for window in windows]),
        )

    def _pieces(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[tuple[int, ...], ...]]:
        """The wordpieces of each word of each sentence: one at least, MAX_PIECES_PER_WORD at most."""
        readable = [[_SURROGATE.sub("\ufffd", word) for word in words] for words in sentences]
        if not any(readable):
            yield from ((),) * len(readable)
            return
        encoded = self._tokeniser(readable, is_split_into_words=True, add_special_tokens=False, verbose=False)
        for words, encoding in zip(readable, encoded.encodings, strict=True):
            pieces: list[list[int]] = [[] for _ in words]
            for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
                if len(pieces[word]) < MAX_PIECES_PER_WORD:
                    pieces[word].append(piece)
            yield tuple(tuple(word) or (self.unknown,) for word in pieces)

    def _cut(self, index: int, words: Sequence[str], pieces: tuple[tuple[int, ...], ...]) -> Iterator[Window]:
        """Windows over one sentence; in the overlap of two, the earlier one owns the first half."""
        first = owned_from = 0
        while owned_from < len(words):
            end = self._fit(pieces, first)
            overlap = min(max(MIN_OVERLAP, 2 * self._max_span_length), (end - first) // 2)
            following = end - overlap if end < len(words) else len(words)
            owned_to = (following + end) // 2
            yield Window(
                sentence=index,
                first=first,
                pieces=pieces[first:end],
                shapes=tuple(map(word_shape, words[first:end])),
                owned=(owned_from - first, owned_to - first),
            )
            first, owned_from = following, owned_to

    def _fit(self, pieces: tuple[tuple[int, ...], ...], first: int) -> int:
        """The end of the longest window that begins at word `first`."""
        left = self._capacity
        for end in range(first, len(pieces)):
            left -= len(pieces[end])
            if left < 0:
                return end
        return len(pieces)


def by_token_budget(windows: Sequence[Window], *, budget: int) -> Iterator[list[Window]]:
    """Batches of windows of similar length; padded, each has at most `budget` tokens (or one window)."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: window.length):
        if batch and (len(batch) + 1) * window.length > budget:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch
