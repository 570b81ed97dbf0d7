from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkner import calibration
from linkner.calibration import DEFAULT_CHECKPOINT
from linkner.errors import ConfigurationError
from linkner.recognition.recogniser import Recogniser, computes_in_bfloat16, resolve_device
from linkner.recognition.uncertainty import METHODS, Method
from linkner.spans import OUTSIDE, Recognition
from tests.unit.linkner.recognition.models import tiny_recogniser

POSTS = [
    "Off to New York with Anna Karenina!",
    "",
    "#SaudiAramco meets @jane_doe at https://example.org/a?b=c 😀",
    "  \n\t ",
    "one " * 150,
]


@pytest.fixture(scope="module")
def recogniser(tiny_encoder: str) -> Recogniser:
    return tiny_recogniser(tiny_encoder)


def shape(recognition: Recognition) -> list[tuple[int, int, str]]:
    return [(one.span.start, one.span.end, one.label) for one in recognition.entities]


def check(text: str, recognition: Recognition) -> None:
    """What holds for every result on every text."""
    for scored in (*recognition.entities, *recognition.plausible):
        assert 0 <= scored.span.start < scored.span.end <= len(text)
        surface = scored.span.of(text)
        assert surface == surface.strip()
        assert scored.probability == max(scored.scores.values())
        assert scored.scores[scored.label] == scored.probability
        assert sum(scored.scores.values()) == pytest.approx(1.0, abs=1e-5)
        assert 0 < scored.uncertainty <= 1
    assert all(scored.label != OUTSIDE for scored in recognition.entities)
    kept = {scored.span for scored in recognition.entities}
    assert not any(scored.span in kept for scored in recognition.plausible)
    for left, right in itertools.pairwise(recognition.entities):
        assert left.span.end <= right.span.start
    ranks = [scored.entity_probability for scored in recognition.plausible]
    assert ranks == sorted(ranks, reverse=True)


def test_the_random_model_finds_entities_and_plausible_spans(recogniser) -> None:
    found = recogniser.recognise(POSTS)
    assert sum(len(one.entities) for one in found) > 3
    assert sum(len(one.plausible) for one in found) > 3


def test_a_post_has_the_same_result_alone_and_among_others(recogniser) -> None:
    together = recogniser.recognise(POSTS)
    assert len(together) == len(POSTS)
    for post, expected in zip(POSTS, together, strict=True):
        (alone,) = recogniser.recognise([post])
        assert shape(alone) == shape(expected)
        for one, other in zip(alone.entities, expected.entities, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-4)


def test_the_same_posts_have_the_same_result_again(recogniser) -> None:
    assert recogniser.recognise(POSTS) == recogniser.recognise(POSTS)


def test_what_was_computed_once_is_decoded_with_less_of_outside(tiny_encoder) -> None:
    model, shifted = tiny_recogniser(tiny_encoder), tiny_recogniser(tiny_encoder, outside=0.6)
    sentences = [post.split() for post in POSTS]
    computed = model.compute(sentences)
    assert model.decode(computed) == model.recognise_words(sentences)
    lowered = model.decode(computed, outside=1.0)
    assert lowered != model.decode(computed)
    assert list(map(shape, lowered)) == list(map(shape, shifted.recognise_words(sentences)))


def test_texts_without_words_are_empty(recogniser) -> None:
    assert recogniser.recognise(["", " \n", "\u3000"]) == [Recognition((), ())] * 3
    assert recogniser.recognise([]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_unicode_has_sound_offsets(recogniser, texts) -> None:
    for text, found in zip(texts, recogniser.recognise(texts, floor=0.0), strict=True):
        check(text, found)


@pytest.mark.parametrize(
    "text",
    [
        "family 👨‍👩‍👧‍👦 in 🇫🇷🇩🇪 with 👍🏽",
        "مرحبا بالعالم من القاهرة",
        "a\u200bb \u200d\ufeff c\u0000d\x1b[31m",
        "e\u0301 Zu\u0308rich",
        "東京タワーへ行きました",
        "broken \ud83d surrogate",
        "A" * 5_000,
        "#" * 300,
    ],
)
def test_odd_texts(recogniser, text) -> None:
    (found,) = recogniser.recognise([text], floor=0.0)
    check(text, found)


def test_a_long_text_is_read_to_its_end_in_windows(recogniser) -> None:
    unit = "Off to New York with Anna Karenina ! "
    text = unit * 300
    (found,) = recogniser.recognise([text])
    check(text, found)
    (short,) = recogniser.recognise([unit])
    assert short.entities, "the random model must find something, or this shows nothing"
    assert max(one.span.end for one in found.entities) > len(text) - len(unit)


def test_plausible_spans_keep_the_floor_and_the_limit(recogniser) -> None:
    (everything,) = recogniser.recognise(POSTS[:1], floor=0.0, max_plausible=1_000)
    middle = everything.plausible[len(everything.plausible) // 2].entity_probability
    (some,) = recogniser.recognise(POSTS[:1], floor=middle, max_plausible=1_000)
    assert some.plausible == tuple(one for one in everything.plausible if one.entity_probability >= middle)
    (two,) = recogniser.recognise(POSTS[:1], floor=0.0, max_plausible=2)
    assert two.plausible == everything.plausible[:2]
    assert two.entities == everything.entities


def test_word_offsets_of_sentences_already_split(recogniser) -> None:
    words = ["Off", "to", "New", "York"]
    (found,) = recogniser.recognise_words([words], floor=0.0)
    spans = [*found.entities, *found.plausible]
    assert spans
    assert all(one.span.end <= len(words) and len(one.span) <= 3 for one in spans)


@pytest.mark.parametrize("method", METHODS)
def test_every_uncertainty_is_deterministic(tiny_encoder, method) -> None:
    recogniser = tiny_recogniser(tiny_encoder, uncertainty=method)
    state = torch.random.get_rng_state()
    first = recogniser.recognise(POSTS)
    assert any(one.entities for one in first)
    assert recogniser.recognise(POSTS) == first
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are its own"


def test_monte_carlo_dropout_is_not_one_plain_pass(tiny_encoder) -> None:
    (sampled,) = tiny_recogniser(tiny_encoder, uncertainty="mc-dropout").recognise(POSTS[:1], floor=0.0)
    (plain,) = tiny_recogniser(tiny_encoder, uncertainty="entropy").recognise(POSTS[:1], floor=0.0)
    assert [one.uncertainty for one in sampled.plausible] != [one.uncertainty for one in plain.plausible]


def read_by(recogniser: Recogniser, method: Method) -> Recogniser:
    """The same model, with its uncertainty estimated in another way."""
    return Recogniser(
        recogniser._model,
        recogniser.config,
        recogniser._vectoriser,
        device="cpu",
        half=False,
        uncertainty=method,
    )


@pytest.mark.parametrize("trained", ["evidential", "entropy"])
@pytest.mark.parametrize("method", ["confidence", "entropy"])
def test_one_checkpoint_is_read_by_other_estimates_with_the_same_probabilities(
    tiny_encoder, trained, method
) -> None:
    model = tiny_recogniser(tiny_encoder, uncertainty=trained)
    (plain,) = model.recognise(POSTS[:1], floor=0.0, max_plausible=1_000)
    (read,) = read_by(model, method).recognise(POSTS[:1], floor=0.0, max_plausible=1_000)
    assert [one.scores for one in read.plausible] == [one.scores for one in plain.plausible]
    for one in read.plausible:
        expected = (
            1 - one.probability
            if method == "confidence"
            else -sum(p * math.log(p) for p in one.scores.values())
        )
        assert one.uncertainty == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("trained", ["evidential", "confidence"])
def test_passes_over_the_head_alone_run_the_encoder_once(tiny_encoder, trained, monkeypatch) -> None:
    model = tiny_recogniser(tiny_encoder, uncertainty=trained, passes=5)
    calls: list[object] = []
    encode = model._model.encode
    monkeypatch.setattr(
        model._model, "encode", lambda *given, **how: calls.append(0) or encode(*given, **how)
    )
    whole = read_by(model, "mc-dropout").recognise(POSTS[:1], floor=0.0)
    assert len(calls) == 5
    head = read_by(model, "mc-dropout-head").recognise(POSTS[:1], floor=0.0)
    assert len(calls) == 6
    assert head != whole


def test_a_model_without_evidence_gives_no_evidential_uncertainty(tiny_encoder) -> None:
    with pytest.raises(ConfigurationError, match="gives no evidence"):
        read_by(tiny_recogniser(tiny_encoder, uncertainty="entropy"), "evidential")


def test_bfloat16_changes_little(tiny_encoder, recogniser) -> None:
    half = Recogniser(recogniser._model, recogniser.config, recogniser._vectoriser, device="cpu", half=True)
    for one, other in zip(
        recogniser.recognise(POSTS, floor=0.0, max_plausible=1),
        half.recognise(POSTS, floor=0.0, max_plausible=1),
        strict=True,
    ):
        for left, right in zip(one.plausible, other.plausible, strict=True):
            assert left.entity_probability == pytest.approx(right.entity_probability, abs=0.1)


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no such device"):
        resolve_device("meta")
    with pytest.raises(ConfigurationError, match="no such device"):
        resolve_device("toaster")
    assert isinstance(computes_in_bfloat16(resolve_device("cpu")), bool)


@pytest.fixture(scope="session")
def default_recogniser() -> Recogniser:
    return Recogniser.from_pretrained(device="cpu")


def test_the_checkpoint_that_comes_with_linkner(default_recogniser) -> None:
    assert default_recogniser.label_set == "wnut17"
    assert default_recogniser.name.startswith("spanner-wnut17-")
    text = "Spending the weekend in New York with Barack Obama"
    (found,) = default_recogniser.recognise([text])
    assert [(one.span.of(text), one.label) for one in found.entities] == [
        ("New York", "location"),
        ("Barack Obama", "person"),
    ]


@pytest.mark.parametrize("name", ["wnut17", "btc"])
def test_the_calibration_of_each_checkpoint_is_that_of_its_weights(name: str) -> None:
    folder = DEFAULT_CHECKPOINT.with_name(name)

    assert calibration.read(folder).model == Recogniser.from_pretrained(folder, device="cpu").name
