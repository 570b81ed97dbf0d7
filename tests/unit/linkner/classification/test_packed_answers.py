"""Replies to a question about several candidates: what LLMs make of the JSON object that was asked for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification.packed_answers import Said, parse_packed
from linkner.labels import label_set
from linkner.spans import OUTSIDE

WNUT17 = label_set("wnut17")
SURFACES = ("Zork", "Oslo Opera", "so")
GROUP, PLACE = "group", "location"


def _labels(reply: str, surfaces: tuple[str, ...] = SURFACES) -> dict[int, str]:
    return dict(parse_packed(reply, surfaces, WNUT17).labels)


@pytest.mark.parametrize(
    "reply",
    [
        '{"1": "group", "2": "location", "3": "Non-entity"}',
        '{"1":"group","2":"location","3":"Non-entity","more":[]}',
        '{"3": "Non-entity", "1": "group", "2": "location"}',
        '{\n  "1": "group",\n  "2": "location",\n  "3": "Non-entity"\n}',
        '{"1": "GROUP", "2": "Location", "3": "NON-ENTITY"}',
        '{"1": "a group", "2": "The entity type is location.", "3": "no entity"}',
        '{"1": "band", "2": "place", "3": "none"}',
        '{"1": "group", "2": "location", "3": "O"}',
        '{"1": "**group**", "2": "`location`", "3": "“Non-entity”"}',
        '{"1": " group ", "2": "location\\n", "3": "non entity"}',
        '{"1": ["group"], "2": ["location"], "3": ["Non-entity"]}',
        '{"1": "group", "2": "location", "3": "Non-entity", "note": "sure", "4": "person", "0": "person"}',
        '{"1": "group", "2": "location", "3": "Non-entity", "explanation": {"why": "bands play"}}',
        '{"1": {"type": "group"}, "2": {"type": "location"}, "3": {"type": "Non-entity"}}',
        '{"1": {"text": "Zork", "label": "group"}, "2": {"answer": "location"}, "3": {"class": "none"}}',
        '{"1": {"Type": "group", "confidence": 0.9}, "2": {"TYPE": "location"}, "3": {"type": "none"}}',
        '{"labels": {"1": "group", "2": "location", "3": "Non-entity"}}',
        '{"answer": {"spans": {"1": "group", "2": "location", "3": "Non-entity"}}}',
        '[{"1": "group", "2": "location", "3": "Non-entity"}]',
        '[{"1": "group"}, {"2": "location"}, {"3": "Non-entity"}]',
        '{"1": "group"}\n{"2": "location"}\n{"3": "Non-entity"}',
        '["group", "location", "Non-entity"]',
        '{"answers": ["group", "location", "Non-entity"]}',
        '[{"number": 1, "type": "group"}, {"number": 2, "type": "location"}, {"number": 3, "type": "none"}]',
        '[{"id": "2", "label": "location"}, {"id": "1", "label": "group"}, {"id": "3", "label": "none"}]',
        '[{"span": "Zork", "type": "group"}, {"span": "Oslo Opera", "type": "location"},'
        ' {"span": "so", "type": "Non-entity"}]',
        '{"Zork": "group", "Oslo Opera": "location", "so": "Non-entity"}',
        '{"zork": "group", "OSLO OPERA": "location", "So": "Non-entity"}',
        '{"<1>": "group", "<2>": "location", "<3>": "Non-entity"}',
        '{"span 1": "group", "span 2": "location", "span 3": "Non-entity"}',
        '{"Span_1": "group", "Span_2": "location", "Span_3": "Non-entity"}',
        '{"#1": "group", "#2": "location", "#3": "Non-entity"}',
        '{"1.": "group", "2.": "location", "3.": "Non-entity"}',
        '```json\n{"1": "group", "2": "location", "3": "Non-entity"}\n```',
        '```\n{"1": "group", "2": "location", "3": "Non-entity"}\n```\nThat is all.',
        'Here is the JSON object:\n{"1": "group", "2": "location", "3": "Non-entity"}',
        'Sure! {"1": "group", "2": "location", "3": "Non-entity"} Hope this helps (2: person is wrong).',
        '<think>{"1": "person"}? No.</think>{"1": "group", "2": "location", "3": "Non-entity"}',
        '{{"1": "group", "2": "location", "3": "Non-entity"}}',
        "{'1': 'group', '2': 'location', '3': 'Non-entity'}",
        "{1: 'group', 2: 'location', 3: 'Non-entity'}",
        '{1: "group", 2: "location", 3: "Non-entity"}',
        "{'1': ['group'], '2': ['location'], '3': ['Non-entity'],}",
        '{"1": "group", "2": "location", "3": "Non-entity",}',
        '{"1": "group" "2": "location" "3": "Non-entity"}',
        '{"1": "group"; "2": "location"; "3": "Non-entity"}',
        '{"1": group, "2": location, "3": Non-entity}',
        "{1: group, 2: location, 3: Non-entity}",
        '{"1" = "group", "2" = "location", "3" = "Non-entity"}',
        '{"1": "group", // a band\n "2": "location", // a house\n "3": "Non-entity" // no name\n}',
        '"1": "group", "2": "location", "3": "Non-entity"',
        '"1": "group",\n"2": "location",\n"3": "Non-entity"',
        '{"1": "group", "2": "location", "3": "Non-entity"',
        '{"1": "group", "2": "location", "3": "Non-entity", "more": [{"text": "Ada',
        '{"1": "group", "2": "location", "3": "Non-entity", "more": [{"text": "Ada", "type": "person"}, {',
        "1: group\n2: location\n3: Non-entity",
        "1: group, 2: location, 3: Non-entity",
        "1: group; 2: location; 3: Non-entity.",
        "1. group\n2. location\n3. Non-entity",
        "1) group\n2) location\n3) Non-entity",
        "1) group 2) location 3) Non-entity",
        "1 - group\n2 - location\n3 - Non-entity",
        "1 -> group\n2 -> location\n3 -> Non-entity",
        "1 => group\n2 => location\n3 => Non-entity",
        "(1): group\n(2): location\n(3): Non-entity",
        "[1]: group\n[2]: location\n[3]: Non-entity",
        "<1>: group\n<2>: location\n<3>: Non-entity",
        "- 1: group\n- 2: location\n- 3: Non-entity",
        "* **1**: group\n* **2**: location\n* **3**: Non-entity",
        "**1:** group\n**2:** location\n**3:** Non-entity",
        "Span 1: group\nSpan 2: location\nSpan 3: Non-entity",
        "1: Group (a band)\n2: Location (a house)\n3: Non-entity (an adverb)",
        "1. Zork: group\n2. Oslo Opera: location\n3. so: Non-entity",
        "1. Zork - group\n2. Oslo Opera - location\n3. so - Non-entity",
        "The labels are:\n1: group\n2: location\n3: Non-entity\n\nLet me know if you need more.",
        '1: "group"\n2: "location"\n3: "Non-entity"',
        "1: 'group'\n2: 'location'\n3: 'Non-entity'",
        "1: group\r\n2: location\r\n3: Non-entity\r\n",
        '"Zork": "group"\n"Oslo Opera": "location"\n"so": "Non-entity"',
        '{"１": "group", "２": "location", "３": "Non-entity"}',
    ],
)
def test_an_odd_reply_is_read(reply: str) -> None:
    assert _labels(reply) == {0: GROUP, 1: PLACE, 2: OUTSIDE}


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        ("", {}),
        ("{}", {}),
        ("[]", {}),
        ("null", {}),
        ("person", {}),
        ("I cannot help with that.", {}),
        ("{", {}),
        ('{"', {}),
        ('{"1"', {}),
        ('{"1": ', {}),
        ('{"1": "gro', {}),
        ('{"1": "group', {}),
        ('{"1": "group", "2": "locat', {0: GROUP}),
        ('{"1": "group", "2": "location", "3', {0: GROUP, 1: PLACE}),
        ('{"1": "group"}', {0: GROUP}),
        ('{"3": "Non-entity"}', {2: OUTSIDE}),
        ('{"1": "group", "2": null, "3": 7}', {0: GROUP}),
        ('{"1": "group", "2": "", "3": true}', {0: GROUP}),
        ('{"1": "group", "2": "animal", "3": "N/A"}', {0: GROUP}),
        ('{"1": "group", "2": "person or location", "3": ["person", "group"]}', {0: GROUP}),
        ('{"1": "group", "1": "person", "2": "location"}', {1: PLACE}),
        ('{"1": "group", "1": "band", "2": "location"}', {0: GROUP, 1: PLACE}),
        ('{"1": "group"} {"1": "person"}', {}),
        ('{"1": "group"} {"1": "what?"}', {}),
        ('["group", "location"]', {}),
        ('["group", "location", "person", "person"]', {}),
        ('{"4": "group", "0": "group", "-5": "group", "11": "group"}', {}),
        ('{"11": "group", "1": "location"}', {0: PLACE}),
        ('{"Zorkmid": "group", "Oslo": "location"}', {}),
        ('{"type": "group"}', {}),
        ("1: group or person\n2: location", {1: PLACE}),
        ("1: not a person\n2: location", {1: PLACE}),
        ("1: group\n1: person\n2: location", {1: PLACE}),
        ("1: group\n2:\n3: ?", {0: GROUP}),
        ("In 2017: location of the year", {}),
        ("There are 3 spans, of which 1 is a person", {}),
        (
            '{"more": [{"text": "1: group", "type": "person"}, {"text": "x, 2: location", "type": "group"}]}',
            {},
        ),
        ('{"1": {"2": "location"}}', {}),
    ],
)
def test_what_a_reply_does_not_say_is_not_guessed_at(reply: str, labels: dict[int, str]) -> None:
    assert _labels(reply) == labels


@pytest.mark.parametrize(
    "reply", ["group", "Group.", '{"1": "group"}', '"group"', '["group"]', '{"type": "group"}', "**group**",
              "The answer is group.", "1: group", '{"Zork": "group"}', "Zork: group", "Zork is a group"],
)  # fmt: skip
def test_a_reply_about_a_single_candidate_may_be_bare(reply: str) -> None:
    assert _labels(reply, ("Zork",)) == {0: GROUP}


def test_a_number_is_a_number_before_it_is_a_surface() -> None:
    assert _labels('{"1": "group", "2": "location"}', ("2", "1")) == {0: GROUP, 1: PLACE}
    assert _labels('{"1999": "group", "24": "location"}', ("1999", "24")) == {0: GROUP, 1: PLACE}


def test_a_surface_that_two_candidates_have_names_neither() -> None:
    assert _labels('{"Oslo": "location"}', ("Oslo", "oslo")) == {}


@pytest.mark.parametrize(
    "reply",
    [
        '{"1": "group", "more": [{"text": "Ada", "type": "person"}, {"text": "Bergen", "type": "location"}]}',
        '{"more": [{"type": "person", "text": "Ada"}, {"label": "place", "name": "Bergen"}], "1": "group"}',
        '{"1": "group", "more": [{"text": "Ada", "type": "a person"}, {"span": "Bergen", "type": "place"},'
        ' {"text": "so", "type": "animal"}, {"text": "it", "type": "none"}, {"text": "it"}, {}, 7, "x"]}',
        "{'1': 'group', 'more': [{'text': 'Ada', 'type': 'person'}, {'text': 'Bergen', 'type': 'location'}]}",
        '{"1": "group", "more": [{"text": "Ada", "type": "person"}, {"text": "Bergen", "type": "location"}, ',
        '[{"number": 1, "type": "group"}, {"text": "Ada", "type": "person"},'
        ' {"text": "Bergen", "type": "location"}]',
        '```json\n{"1": "group", "more": [{"text": "Ada", "type": "person"},'
        '\n{"text": "Bergen", "type": "location"}, {"text": "Ada", "type": "person"}]}\n```',
    ],
)
def test_what_the_reply_adds_is_read(reply: str) -> None:
    said = parse_packed(reply, ("Zork", "Oslo Opera"), WNUT17)
    assert said == Said({0: GROUP}, (("Ada", "person"), ("Bergen", PLACE)))


def test_a_number_can_be_a_name() -> None:
    said = parse_packed('{"more": [{"text": "2", "type": "product"}]}', SURFACES, WNUT17)
    assert said == Said({}, (("2", "product"),))


def test_a_candidate_among_what_is_added_is_an_answer() -> None:
    said = parse_packed('{"more": [{"text": "Zork", "type": "group"}]}', SURFACES, WNUT17)
    assert said == Said({0: GROUP}, ())


_labels_of_three = st.lists(st.sampled_from(WNUT17.classes), min_size=3, max_size=3)


@given(_labels_of_three, st.integers(0, 80))
def test_a_reply_that_is_cut_off_loses_its_end_and_nothing_else(labels: list[str], length: int) -> None:
    said = {str(place + 1): "Non-entity" if label == OUTSIDE else label for place, label in enumerate(labels)}
    whole = dict(enumerate(labels))
    found = _labels(json.dumps(said)[:length])
    assert found == {place: whole[place] for place in range(len(found))}
    assert _labels(json.dumps(said)) == whole


_PIECES = ['{"', '"1": "group"', "2: person", ", ", "[", "]", "{", "}", '"', "'", "\n", "more", "\\", "text"]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=5)), max_size=30).map("".join))
def test_any_reply_gives_labels_of_the_set_for_candidates_or_nothing(reply: str) -> None:
    said = parse_packed(reply, SURFACES, WNUT17)
    assert set(said.labels) <= {0, 1, 2}
    assert set(said.labels.values()) <= set(WNUT17.classes)
    assert {label for _, label in said.added} <= set(WNUT17.labels)


@pytest.mark.parametrize(
    "unit", ["[", "{", "{'1': ", '{"1": ', "1: ", '"a": "', "1 1 1:", "{]", "1=1=", " -"]
)
@pytest.mark.timeout(10)
def test_a_long_reply_is_read_in_bounded_work(unit: str) -> None:
    assert _labels(unit * 50_000 + '\n3: person}]"') == {}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("{'a':", "}")])
@pytest.mark.parametrize("depth", [10, 100, 300, 600])
def test_an_answer_at_any_depth_does_no_harm(opening: str, closing: str, depth: int) -> None:
    reply = opening * depth + '{"1": "group"}' + closing * depth
    assert _labels(reply) in ({0: GROUP}, {})
