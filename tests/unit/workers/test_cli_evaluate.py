"""`linkner evaluate`: what it prints, for one file and several, alone and linked, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linkner import calibration
from linkner.calibration import Calibration, Curve
from linkner.detection import THRESHOLD
from linkner.detectors import BUDGET
from linkner.errors import (
    CheckpointError,
    ConfigurationError,
    FileFormatError,
    InputError,
    LinknerError,
    UnavailableError,
)
from linkner.recognition import checkpoint
from linkner.recognition.recogniser import Recogniser
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from workers.cli.model import register

ANNA = "Anna\tB-person\nlands\tO\nin\tO\nRome\tB-location\n\n"
NOTHING = "only\tO\nrain\tO\n\n"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


@pytest.fixture(scope="module")
def folder(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checkpoint of an untrained model, which finds nothing."""
    path = tmp_path_factory.mktemp("checkpoint")
    config = checkpoint.ModelConfig(
        name="tiny", label_set="wnut17", labels=("person", "location"), encoder=tiny_encoder, hidden=8
    )
    checkpoint.save(path, checkpoint.trained_state(checkpoint.build(config)), config)
    return str(path)


@pytest.fixture
def half_knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is unsure of each capitalised first word being a person, and sees a name in others."""

    def scored(place: int, person: float) -> ScoredSpan:
        label, p = ("person", person) if person > 0.5 else (OUTSIDE, 1 - person)
        return ScoredSpan(Span(place, place + 1), label, p, 0.5, {OUTSIDE: 1 - person, "person": person})

    def recognise_words(_: Recogniser, sentences: list[list[str]], **__: object) -> list[Recognition]:
        return [
            Recognition(
                entities=tuple(scored(0, 0.7) for word in words[:1] if word.istitle()),
                plausible=tuple(scored(at, 0.4) for at, word in enumerate(words) if at and word.istitle()),
            )
            for words in sentences
        ]

    monkeypatch.setattr(Recogniser, "recognise_words", recognise_words)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def replies(path: Path, *lines: dict[str, object]) -> str:
    return write(path, "\n".join(map(json.dumps, lines)))


def item(start: int, end: int, text: str, label: str) -> dict[str, object]:
    return {"start": start, "end": end, "text": text, "type": label}


ANNA_REPLY = {
    "sentence": 0,
    "entities": [item(0, 1, "Anna", "person"), item(3, 4, "Rome", "location")],
}


def evaluated(app: typer.Typer, folder: str, *arguments: str) -> dict:
    result = CliRunner().invoke(
        app, ["evaluate", "--model", folder, "--device", "cpu", "--json", *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0
    return json.loads(result.stdout.splitlines()[-1])


def refused(app: typer.Typer, folder: str, *arguments: str) -> LinknerError:
    result = CliRunner().invoke(app, ["evaluate", "--model", folder, "--device", "cpu", *arguments])
    assert isinstance(result.exception, LinknerError), result.output
    return result.exception


@pytest.mark.usefixtures("half_knowing")
def test_the_model_alone_asks_nothing_and_still_tells_what_it_looks_at(app, folder, tmp_path) -> None:
    found = evaluated(app, folder, "--data", write(tmp_path / "a.conll", ANNA + NOTHING))
    assert (found["precision"], found["recall"], found["f1"]) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (found["span_recall"], found["span_f1"]) == (0.5, pytest.approx(2 / 3))
    assert (found["llm"], found["token_count"], found["protocol"]) == (None, None, "deployed")
    assert (found["questions_per_100_posts"], found["tokens_per_1000_posts"], found["llm_share"]) == (0, 0, 0)
    assert (found["candidate_recall"], found["candidates_per_post"]) == (1.0, 1.0)
    assert (found["auroc"], found["ece"]) == (None, pytest.approx(0.3))
    assert (found["unseen_recall"], found["oov_rate"]) == (None, None)
    assert [one["data"] for one in found["files"]] == ["a.conll"]


@pytest.mark.usefixtures("half_knowing")
def test_a_replay_says_so_and_counts_its_questions(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", ANNA + NOTHING)
    recorded = replies(tmp_path / "r.jsonl", ANNA_REPLY, {"sentence": 1, "entities": []})
    found = evaluated(app, folder, "--data", data, "--replies", recorded)
    assert (found["llm"], found["form"], found["f1"], found["llm_share"]) == ("replay", "propose", 1.0, 1.0)
    assert found["local_f1"] == pytest.approx(2 / 3)
    assert (found["questions_per_100_posts"], found["posts_asked_per_100_posts"]) == (50.0, 50.0)
    assert found["token_count"].startswith("estimated")
    prompt, completion = (found[f"{kind}_tokens_per_1000_posts"] for kind in ("prompt", "completion"))
    assert found["tokens_per_1000_posts"] == prompt + completion > prompt > 100_000
    table = CliRunner().invoke(
        app, ["evaluate", "--model", folder, "--data", data, "--replies", recorded], env={"COLUMNS": "200"}
    )
    assert "LLM: replay" in table.stdout
    assert "deployed protocol" in table.stdout
    assert "spans alone" in table.stdout


@pytest.mark.usefixtures("half_knowing")
def test_the_protocol_and_the_thresholds_choose_what_is_asked(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", "Anna\tB-person\nFoo\tO\nin\tO\nRome\tB-location\n")
    recorded = replies(tmp_path / "r.jsonl", ANNA_REPLY)
    arguments = ("--data", data, "--replies", recorded, "--form", "per-span")

    def asked(*more: str) -> float:
        return evaluated(app, folder, *arguments, *more)["questions_per_100_posts"]

    assert asked() == 300, "Anna, Foo and Rome"
    assert asked("--protocol", "paper") == 200, "Anna and Rome, which is gold"
    assert asked("--protocol", "paper", "--tau", "0.5") == 0
    assert asked("--tau", "0.5") == 200, "Foo and Rome: Anna is certain enough"
    assert asked("--epsilon", "0.4") == 100, "Anna: the others are not plausible enough"
    assert asked("--max-candidates", "1") == 100


@pytest.mark.usefixtures("half_knowing")
@pytest.mark.parametrize(
    ("arguments", "form"),
    [((), "propose"), (("--protocol", "paper"), "per-span"), (("--form", "packed"), "packed")],
)
def test_the_form_is_the_stream_s_or_the_paper_s_unless_it_is_given(
    app, folder, tmp_path, arguments, form
) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    assert evaluated(app, folder, "--data", data, *arguments)["form"] == form


@pytest.mark.usefixtures("half_knowing")
def test_a_budget_asks_about_the_posts_where_the_model_is_most_likely_wrong(app, folder, tmp_path) -> None:
    certain, doubtful = Curve(((0.0, 0.0), (1.0, 0.1))), Curve(((0.0, 0.0), (1.0, 1.0)))
    known = Calibration(wrong={"person": certain}, missed=doubtful, least={50.0: 0.2})
    model = tmp_path / "calibrated"
    shutil.copytree(folder, model)
    calibration.write(model, known)
    data = write(tmp_path / "a.conll", "Anna\tB-person\nsleeps\tO\n\n" + ANNA)
    recorded = replies(tmp_path / "r.jsonl", {"sentence": 0, "entities": []}, {**ANNA_REPLY, "sentence": 1})
    found = evaluated(app, str(model), "--data", data, "--replies", recorded, "--budget", "50")
    assert (found["posts_asked_per_100_posts"], found["candidates_asked"]) == (50.0, 1), "Rome, of the second"
    assert (found["budget"], found["tau"], found["epsilon"]) == (50.0, None, None)

    def chosen(*more: str) -> tuple[float | None, float | None]:
        found = evaluated(app, str(model), "--data", data, *more)
        return found["budget"], found["tau"]

    assert chosen() == (None, THRESHOLD), "the calibration may be that of any model"
    name = evaluated(app, str(model), "--data", data)["model"]
    calibration.write(model, replace(known, model=name))
    assert chosen() == (BUDGET, None)
    assert chosen("--tau", "0.2") == (None, 0.2)
    assert chosen("--protocol", "paper") == (None, THRESHOLD)


def test_several_files_are_columns_and_the_top_takes_them_together(app, folder, tmp_path) -> None:
    one, two = write(tmp_path / "one.conll", ANNA), write(tmp_path / "two.conll", NOTHING + ANNA)
    found = evaluated(app, folder, "--data", one, two)
    assert found["sentences"] == 3
    assert found["gold"] == 4
    assert [(one["data"], one["sentences"]) for one in found["files"]] == [("one.conll", 1), ("two.conll", 2)]
    table = CliRunner().invoke(app, ["evaluate", "--model", folder, "--data", one, two]).stdout
    assert all(name in table for name in ("one.conll", "two.conll", "all"))


def test_files_of_one_name_are_told_apart_by_their_folders(app, folder, tmp_path) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(write(tmp_path / name / "test.conll", ANNA))
    assert [one["data"] for one in evaluated(app, folder, "--data", *paths)["files"]] == paths


@pytest.mark.usefixtures("half_knowing")
def test_unseen_entities_are_those_that_the_training_file_lacks(app, folder, tmp_path) -> None:
    data, train = write(tmp_path / "a.conll", ANNA), write(tmp_path / "train.conll", "Rome\tB-location\n")
    found = evaluated(app, folder, "--data", data, "--seen", train)
    assert (found["oov_rate"], found["unseen_recall"]) == (0.5, 1.0)


@pytest.mark.usefixtures("half_knowing")
def test_the_reliability_plot_is_a_picture(app, folder, tmp_path) -> None:
    plot = tmp_path / "new" / "plot.png"
    evaluated(app, folder, "--data", write(tmp_path / "a.conll", ANNA), "--plot", str(plot))
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_plot_has_the_name_that_was_given_or_none(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    for name in ("plot", "plot.pdf"):
        assert "--plot writes PNG" in str(
            refused(app, folder, "--data", data, "--plot", str(tmp_path / name))
        )
    unwritable = str(tmp_path / "a.conll" / "plot.png")
    assert f"cannot write {unwritable}" in str(refused(app, folder, "--data", data, "--plot", unwritable))
    assert [one.name for one in tmp_path.iterdir()] == ["a.conll"]


@pytest.mark.parametrize("again", ["a.conll", "link.conll"])
def test_no_file_counts_twice(app, folder, tmp_path, again) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    (tmp_path / "link.conll").symlink_to(data)
    error = refused(app, folder, "--data", data, str(tmp_path / again))
    assert "named twice" in str(error)
    assert data in str(error)


def test_a_plot_of_no_entity_is_drawn_too(app, folder, tmp_path) -> None:
    plot = tmp_path / "plot.png"
    evaluated(app, folder, "--data", write(tmp_path / "a.conll", NOTHING), "--plot", str(plot))
    assert plot.exists()


def test_figures_of_nothing_are_null_and_never_nan(app, folder, tmp_path) -> None:
    found = evaluated(app, folder, "--data", write(tmp_path / "a.conll", NOTHING))
    assert [found[name] for name in ("ece", "auroc", "candidate_recall", "llm_share")] == [None] * 4
    assert "NaN" not in json.dumps(found)


BAD = [
    ("", InputError, "holds no sentence"),
    ("Anna\tX-person\n", FileFormatError, "a.conll:1: the last column is not a tag"),
    ("Anna\tB-group\n", InputError, "labels that the model lacks"),
]


@pytest.mark.parametrize(("text", "kind", "problem"), BAD)
def test_bad_data_is_refused_by_name(app, folder, tmp_path, text, kind, problem) -> None:
    error = refused(app, folder, "--data", write(tmp_path / "a.conll", text))
    assert type(error) is kind
    assert problem in str(error)
    assert "a.conll" in str(error)


def test_a_missing_file_is_named(app, folder, tmp_path) -> None:
    assert "none.conll" in str(refused(app, folder, "--data", str(tmp_path / "none.conll")))


def test_replies_to_other_data_are_refused(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", NOTHING)
    error = refused(app, folder, "--data", data, "--replies", replies(tmp_path / "r.jsonl", ANNA_REPLY))
    assert isinstance(error, FileFormatError)
    assert "r.jsonl:1: the reply does not fit the data" in str(error)


def test_replies_of_another_label_set_are_refused_until_it_is_named(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    recorded = replies(tmp_path / "r.jsonl", {"sentence": 0, "entities": [item(0, 1, "Anna", "PER")]})
    arguments = ("--data", data, "--replies", recorded)
    assert "--label-set" in str(refused(app, folder, *arguments))
    assert evaluated(app, folder, *arguments, "--label-set", "btc")["llm"] == "replay"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "nothing to evaluate on"),
        (("--data", "{data}", "--replies", "r.jsonl", "--llm", "http://localhost/v1"), "two LLMs"),
        (("--data", "{data}", "--replies", "r.jsonl", "--replies", "s.jsonl"), "do not pair up"),
        (("--data", "{data}", "--llm", "ftp://localhost"), "URL cannot be used"),
        (("--data", "{data}", "--label-set", "unheard-of"), "no label set"),
        (("--data", "{data}", "--tau", "-1"), "threshold is out of range"),
        (("--data", "{data}", "--budget", "20", "--tau", "0.1"), "a budget replaces τ and ε"),
        (("--data", "{data}", "--budget", "20", "--protocol", "paper"), "a budget replaces τ and ε"),
    ],
)
def test_options_that_do_not_go_together_are_refused(app, folder, tmp_path, arguments, problem) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    error = refused(app, folder, *(argument.format(data=data) for argument in arguments))
    assert isinstance(error, ConfigurationError)
    assert problem in str(error)


def test_a_budget_needs_a_calibration(app, folder, tmp_path) -> None:
    error = refused(app, folder, "--data", write(tmp_path / "a.conll", ANNA), "--budget", "20")
    assert isinstance(error, CheckpointError)
    assert "linkner calibrate" in str(error)


@pytest.mark.usefixtures("half_knowing")
def test_an_endpoint_that_is_not_there_is_told_at_once(app, folder, tmp_path) -> None:
    data = write(tmp_path / "a.conll", ANNA)
    assert isinstance(
        refused(app, folder, "--data", data, "--llm", "http://127.0.0.1:9/v1"), UnavailableError
    )
