"""SpanNER: every span of up to L words is classified; class 0 is OUTSIDE (section 3.1 of the paper)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from linkner.recognition.bottleneck import Bottleneck
from linkner.recognition.features import SHAPE_BITS, Batch

CLASS_WEIGHTS = "head.classify."
"""What the names of the weights begin with that belong to the labels: `weight` and `bias`, a row for each."""

_OUTSIDE_LOGIT = 4.0  # p(OUTSIDE) of about 0.9 among seven classes
_LENGTH_SPREAD = 0.02


class SpanHead(nn.Module):
    """Classifies spans from the vectors and shapes of their words.

    A span's hidden vector is the sum of projections of its start, its end, its length, and the shape of each
    of its words by position. That is a linear layer over their concatenation, computed once a word and not
    once a span: O(n·d·h) for n words of width d, whatever the span length.

    Args:
        width: d, that of the words' vectors.
        hidden: h, that of a span's hidden vector.
        classes: C, OUTSIDE included.
        max_span_length: L, in words.
        dropout: dropout on the hidden vectors.
        bottleneck: put a variational information bottleneck on the hidden vectors.
    """

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        classes: int,
        max_span_length: int,
        dropout: float,
        bottleneck: bool = False,
    ) -> None:
        super().__init__()
        self.max_span_length = max_span_length
        self.start = nn.Linear(width, hidden)
        self.end = nn.Linear(width, hidden, bias=False)
        self.length = nn.Embedding(max_span_length, hidden)
        self.shape = nn.Linear(SHAPE_BITS, max_span_length * hidden, bias=False)
        self.bottleneck = Bottleneck(hidden) if bottleneck else None
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden, classes)
        self._believe_outside()

    def forward(self, words: Tensor, shapes: Tensor) -> Tensor:
        """Logits [B, N, L, C] from `words` [B, N, d] and `shapes` [B, N, SHAPE_BITS].

        Entry [b, i, k] is the span of k + 1 words that begins at word i; those that reach past the last word
        are noise, to be masked by `Batch.span_mask`.
        """
        ends = _following(self.end(words), self.max_span_length)
        by_position = self.shape(shapes).unflatten(-1, (self.max_span_length, -1))
        inside = torch.stack(
            [
                _following(by_position[:, :, position], self.max_span_length)[:, :, position]
                for position in range(self.max_span_length)
            ],
            dim=2,
        ).cumsum(dim=2)
        hidden = self.start(words)[:, :, None] + ends + self.length.weight + inside
        vectors = functional.gelu(hidden)
        if self.bottleneck is not None:
            vectors = self.bottleneck(vectors)
        logits: Tensor = self.classify(self.dropout(vectors))
        return logits

    def _believe_outside(self) -> None:
        """Begin where nearly all spans are right: no entity. From zero, learning that costs epochs."""
        nn.init.normal_(self.length.weight, std=_LENGTH_SPREAD)
        nn.init.zeros_(self.classify.bias)
        with torch.no_grad():
            self.classify.bias[0] = _OUTSIDE_LOGIT


class SpanNer(nn.Module):
    """An encoder and a span head. The words' shapes are added to the encoder's input embeddings.

    Args:
        encoder: a Hugging Face encoder that takes `inputs_embeds` and returns `last_hidden_state`.
        head: the span head; its `width` is the encoder's hidden size.
        dropout: dropout on the word vectors.
    """

    def __init__(self, encoder: Any, head: SpanHead, *, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.shape = nn.Linear(SHAPE_BITS, encoder.get_input_embeddings().embedding_dim, bias=False)
        nn.init.zeros_(self.shape.weight)  # so that training starts from the encoder as it was
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, *, half: bool = False) -> Tensor:
        """Logits [B, N, L, C] in fp32; `half` runs the encoder in bfloat16."""
        return self.classify(self.encode(batch, half=half), batch)

    def encode(self, batch: Batch, *, half: bool = False) -> Tensor:
        """The words' vectors [B, N, d] in fp32; `half` runs the encoder in bfloat16."""
        shapes = _bits(batch.shapes)
        pieces = self.encoder.get_input_embeddings()(batch.tokens)
        pieces = pieces + self._spread(self.shape(shapes), batch.word_of_token)
        with torch.autocast(batch.tokens.device.type, dtype=torch.bfloat16, enabled=half):
            encoded = self.encoder(inputs_embeds=pieces, attention_mask=batch.attention).last_hidden_state
        return _word_means(encoded.float(), batch.word_of_token, batch.shapes.shape[1])

    def classify(self, words: Tensor, batch: Batch) -> Tensor:
        """Logits [B, N, L, C] of all spans from the words' vectors [B, N, d]."""
        logits: Tensor = self.head(self.dropout(words), _bits(batch.shapes))
        return logits

    @staticmethod
    def _spread(words: Tensor, word_of_token: Tensor) -> Tensor:
        """[B, P, d]: each token's word vector from `words` [B, N, d]; zero for tokens of no word."""
        index = word_of_token.clamp(min=0)[:, :, None].expand(-1, -1, words.shape[-1])
        return words.gather(1, index) * (word_of_token >= 0)[:, :, None]


def _following(words: Tensor, count: int) -> Tensor:
    """[B, N, L, h] from [B, N, h]: each word and the `count - 1` after it, zeros past the end."""
    return functional.pad(words, (0, 0, 0, count - 1)).unfold(1, count, 1).movedim(-1, 2)


def _bits(masks: Tensor) -> Tensor:
    """[B, N, SHAPE_BITS] floats, 0 or 1, from bit masks [B, N]."""
    return ((masks[..., None] >> torch.arange(SHAPE_BITS, device=masks.device)) & 1).float()


def _word_means(tokens: Tensor, word_of_token: Tensor, words: int) -> Tensor:
    """[B, N, d]: the mean of each word's token vectors; zeros for padding."""
    belongs = (word_of_token[:, None, :] == torch.arange(words, device=tokens.device)[:, None]).float()
    return torch.bmm(belongs / belongs.sum(dim=-1, keepdim=True).clamp(min=1), tokens)
