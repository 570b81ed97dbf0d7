from __future__ import annotations

from pathlib import Path

import pytest

from linkner.conll import Sentence
from linkner.errors import FileFormatError, InputError
from linkner.recognition import checkpoint
from linkner.recognition.recogniser import MAX_PLAUSIBLE, Recogniser
from linkner.spans import LabelledSpan, Span
from tests.unit.trainer.tiny import sentences, tiny_config
from trainer.evaluation.local import pooled, read_labelled, recognise

LABELS = ("person", "location")


@pytest.fixture(scope="module")
def recogniser(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """An untrained model of spans of two words."""
    folder, config = tmp_path_factory.mktemp("checkpoint"), tiny_config(tiny_encoder)
    checkpoint.save(folder, checkpoint.trained_state(checkpoint.build(config)), config)
    return Recogniser.from_pretrained(folder, device="cpu", half=False)


def test_recognitions_are_those_of_a_stream(recogniser: Recogniser) -> None:
    data = [*sentences(9), Sentence(words=tuple("tree" for _ in range(40)), entities=())]
    found = recognise(recogniser, data)
    assert list(found.recognitions) == recogniser.recognise_words([one.words for one in data])
    assert max(len(one.plausible) for one in found.recognitions) == MAX_PLAUSIBLE


def test_gold_spans_are_scored_however_improbable_but_not_beyond_the_model_s_length(
    recogniser: Recogniser,
) -> None:
    entities = tuple(LabelledSpan(Span(start, start + 1), "person") for start in range(0, 40, 2))
    too_long = LabelledSpan(Span(40, 43), "location")
    data = [Sentence(words=tuple("tree" for _ in range(43)), entities=(*entities, too_long))]
    (gold,) = recognise(recogniser, data).gold
    assert gold.keys() == {entity.span for entity in entities}
    assert all(scored.span == span for span, scored in gold.items())


def test_progress_ends_with_all_sentences(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.evaluation.local._CHUNK", 4)
    told: list[int] = []
    recognise(recogniser, sentences(10), told=told.append)
    assert told == [4, 8, 10]


def test_a_sentence_of_ten_thousand_words_is_recognised_whole(recogniser: Recogniser) -> None:
    words = tuple(f"word{index}" for index in range(10_000))
    last = LabelledSpan(Span(9_998, 10_000), "person")
    found = recognise(recogniser, [Sentence(words=words, entities=(last,))])
    assert found.gold[0].keys() == {last.span}


def test_pooled_data_sets_are_one_after_the_other(recogniser: Recogniser) -> None:
    one, two = recognise(recogniser, sentences(2)), recognise(recogniser, sentences(3))
    both = pooled([one, two])
    assert len(both) == 5
    assert both.recognitions == (*one.recognitions, *two.recognitions)
    assert both.gold == (*one.gold, *two.gold)


def write(folder: Path, text: str) -> Path:
    path = folder / "data.conll"
    path.write_text(text)
    return path


def test_labelled_sentences_are_read(tmp_path: Path) -> None:
    (only,) = read_labelled(write(tmp_path, "Anna\tB-person\nsleeps\tO\n"), labels=LABELS)
    assert only.entities == (LabelledSpan(Span(0, 1), "person"),)


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART-\tO\n\n"])
def test_a_file_without_sentences_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"data\.conll holds no sentence"):
        read_labelled(write(tmp_path, text), labels=LABELS)


def test_labels_that_the_model_lacks_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"labels that the model lacks; expected person, location; got group"
    ):
        read_labelled(write(tmp_path, "Abba\tB-group\nAnna\tB-person\n"), labels=LABELS)


def test_an_unknown_tag_is_refused_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"data\.conll:2: the last column is not a tag"):
        read_labelled(write(tmp_path, "Anna\tB-person\nsleeps\tVERB\n"), labels=LABELS)
