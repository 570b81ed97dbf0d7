from __future__ import annotations

import random

import pytest
import torch

from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.recognition.encoder import load_tokeniser
from linkner.recognition.features import Vectoriser
from linkner.spans import LabelledSpan, Span
from linkner.text import words
from trainer.datasets import as_post, batches, examples, hide, tensors

LABELS = ("person", "location")


@pytest.fixture(scope="module")
def vectoriser(tiny_encoder: str) -> Vectoriser:
    return Vectoriser(load_tokeniser(tiny_encoder), window=98, max_span_length=3)


def sentence(text: str, *entities: tuple[int, int, str]) -> Sentence:
    return Sentence(
        tuple(text.split()), tuple(LabelledSpan(Span(start, end), label) for start, end, label in entities)
    )


@pytest.mark.parametrize(
    ("given", "words_of_post", "entities"),
    [
        (sentence("in #NewDelhi now", (1, 2, "location")), "in # New Delhi now", [(2, 4, "location")]),
        (sentence("by @anna", (1, 2, "person")), "by @ anna", [(1, 3, "person")]),
        (sentence("Anna in Rome", (0, 1, "person"), (2, 3, "location")), "Anna in Rome", None),
    ],
)
def test_a_sentence_is_split_like_a_post(given, words_of_post, entities) -> None:
    post = as_post(given)
    assert " ".join(post.words) == words_of_post
    found = [(one.span.start, one.span.end, one.label) for one in post.entities]
    assert found == (entities or [(one.span.start, one.span.end, one.label) for one in given.entities])


def test_a_post_s_words_are_those_of_the_raw_text() -> None:
    post = as_post(sentence("@anna likes #NewDelhi 's http://a.b/c !"))
    text = "@anna likes #NewDelhi 's http://a.b/c !"
    assert list(post.words) == [word.of(text) for word in words(text)]


def test_examples_carry_classes_and_leave_longer_entities_out(vectoriser) -> None:
    given = sentence(
        "Anna saw the old town of Rome", (0, 1, "person"), (2, 7, "location"), (6, 7, "location")
    )
    (example,) = examples([given], vectoriser, labels=LABELS, max_span_length=3)
    assert example.entities == ((0, 0, 1), (6, 0, 2))


def test_over_all_windows_each_entity_is_learned_once(vectoriser) -> None:
    given = sentence("Anna Smith in Rome " * 60, *((4 * k, 4 * k + 2, "person") for k in range(60)))
    made = examples([given], vectoriser, labels=LABELS, max_span_length=3)
    assert len(made) > 1
    starts = [one.window.first + start for one in made for start, _, _ in one.entities]
    assert starts == [4 * k for k in range(60)]


def test_a_label_that_the_model_lacks_is_named(vectoriser) -> None:
    with pytest.raises(InputError, match="group"):
        examples([sentence("Nirvana", (0, 1, "group"))], vectoriser, labels=LABELS, max_span_length=3)


def test_batches_have_every_example_once_and_like_lengths(vectoriser) -> None:
    given = [sentence("word " * (1 + k % 20)) for k in range(100)]
    made = examples(given, vectoriser, labels=LABELS, max_span_length=3)
    split = batches(made, size=8, rng=random.Random(1))
    assert sorted(one.window.sentence for batch in split for one in batch) == list(range(100))
    assert all(len(batch) <= 8 for batch in split)
    spread = [max(e.window.length for e in b) - min(e.window.length for e in b) for b in split]
    assert max(spread) <= 15
    again = batches(made, size=8, rng=random.Random(1))
    assert split == again
    assert split != batches(made, size=8, rng=random.Random(2))


def test_tensors_put_the_class_at_start_and_length(vectoriser) -> None:
    given = [sentence("Anna Smith left", (0, 2, "person")), sentence("Rome", (0, 1, "location"))]
    made = examples(given, vectoriser, labels=LABELS, max_span_length=3)
    _, targets, mask = tensors(made, vectoriser, max_span_length=3)
    assert targets.nonzero().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert targets[0, 0, 1] == 1
    assert targets[1, 0, 0] == 2
    assert mask.sum().item() == 3 + 2 + 1 + 1  # spans of 1, 2, 3 words of the first, one of the second


def test_hiding_replaces_that_share_of_wordpieces_and_no_special_tokens(vectoriser) -> None:
    torch.manual_seed(1)
    batch = vectoriser.collate(list(vectoriser.windows([["letters"] * 12] * 50)))
    hidden = hide(batch, share=0.25, mask=vectoriser.mask)
    changed = hidden.tokens != batch.tokens
    assert (hidden.tokens[changed] == vectoriser.mask).all()
    assert not changed[batch.word_of_token < 0].any()
    assert changed[batch.word_of_token >= 0].float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(hide(batch, share=0.0, mask=vectoriser.mask).tokens, batch.tokens)
