"""The label read from a reply: what LLMs say instead of one bare option."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification import NON_ENTITY, parse_answer
from linkner.labels import LABEL_SETS, LabelSet, label_set
from linkner.spans import OUTSIDE

_WRAPPED = [
    "{}", "{}.", " {}\n", "**{}**", "*{}*", "`{}`", '"{}"', "'{}'", "“{}”", "„{}“", "«{}»", "« {} »", "‹{}›",
    "「{}」", "『{}』", "({})", "[{}]", "<{}>", "- {}", "• {}", "1. {}", "4) {}", "Option 3: {}",
    "Answer: {}", "**Answer:** {}", "answer is {}", "The entity type is {}.", "The entity type is **{}**.",
    "Entity type: {}", "Label = {}", "It is a {}.", "This is an {}!", "I would say {}.",
    "Sure! The answer is: {}", "The correct option is {}.", "The entity type of Oslo in this context is {}.",
    'The type of "Oslo" is "{}".', '{"entity_type": "{}"}', '["{}"]',
    '```json\n{"label": "{}"}\n```', "```\n{}\n```", "# {}", "{}\n{}",
    "{} (high confidence)", "{} 👍", "{} - because the post says so",
    "{}\n\nExplanation: it means something.",
    "<think>hard to say</think>\n{}", "Based on the context, the answer is {}.", "{} entity",
    "Final answer: {}", "\\boxed{{}}", "The name is a {} because of the words around it.",
]  # fmt: skip

every_set = pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)


def _spellings(label: str) -> list[str]:
    name = NON_ENTITY if label == OUTSIDE else label
    spaced = name.replace("-", " ").replace("_", " ")
    plural = re.sub("y$", "ie", spaced.lower()) + "s"
    return [
        *(name, name.upper(), name.lower(), name.title(), spaced, spaced.title(), spaced.replace(" ", "")),
        *(spaced.replace(" ", "-"), spaced.replace(" ", "_"), spaced.replace(" ", "\\_"), plural),
    ]


@every_set
@pytest.mark.parametrize("wrapping", _WRAPPED)
def test_an_option_is_read_in_any_wrapping_and_spelling(labels: LabelSet, wrapping: str) -> None:
    for label in labels.classes:
        for spelling in _spellings(label):
            reply = wrapping.replace("{}", spelling)
            assert parse_answer(reply, labels) == label, reply


@every_set
def test_a_synonym_is_read_where_it_is_stated(labels: LabelSet) -> None:
    for label in labels.classes:
        for synonym in labels.synonyms.get(label, ("none", "O")):
            assert parse_answer(f"Answer: {synonym.title()}.", labels) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("creative work", "creative-work"),
        ("CreativeWork", "creative-work"),
        ("Creative Works", "creative-work"),
        ("ＰＥＲＳＯＮ", "person"),
        ("People", "person"),
        ("Company", "corporation"),
        ("A movie.", "creative-work"),
        ("Oslo is a location in Norway", "location"),
        ("Person, since corporations do not sing", "person"),
        ("Product because the corporation sells it", "product"),
        ("a product since it is sold by a corporation", "product"),
        ("person\n\nThe other options (location, group) do not fit.", "person"),
        ("Group (sports team)", "group"),
        ("group, not a corporation", "group"),
        ("It is not a person but a location.", "location"),
        ("It isn't a group, it's a corporation", "corporation"),
        ("Neither a person nor a group: product", "product"),
        ("a location rather than a group", "location"),
        ("Product instead of corporation", "product"),
        ("Is it a person? No: location", "location"),
        ("<think>person or group</think> location", "location"),
        ("non-entity", OUTSIDE),
        ("Non Entity", OUTSIDE),
        ("NonEntity", OUTSIDE),
        ("Non‐entity", OUTSIDE),
        ("Not an entity", OUTSIDE),
        ("not a named entity", OUTSIDE),
        ("No entity", OUTSIDE),
        ("None", OUTSIDE),
        ("none.", OUTSIDE),
        ("None of the above", OUTSIDE),
        ("None of these entity types", OUTSIDE),
        ("This isn't a named entity.", OUTSIDE),
        ("It does not refer to a named entity.", OUTSIDE),
        ("Not a person, so Non-entity", OUTSIDE),
        ("O", OUTSIDE),
        ("Outside", OUTSIDE),
    ],
)
def test_an_odd_reply_is_read(reply: str, label: str) -> None:
    assert parse_answer(reply, label_set("wnut17")) == label


@pytest.mark.parametrize(
    "reply",
    [
        "", " ", "\n", ".", "?", "🤷", "\x00", "42", "yes", "unknown", "N/A", "animal", "organization",
        "other", "person or group", "person/group", "person, group", "person; location",
        "person and location", "1. person\n2. group", "Person\nLocation",
        '["person", "location"]', '{"a": "person", "b": "group"}',
        '{"Ada": "person", "Oslo": "location"}', "person (or maybe group)", "It is a person or a group.",
        "person; location; group; corporation; product; creative-work; Non-entity",
        "not a person", "It is not a location.", "Definitely not a group!", "isn't a product", "no location",
        "not a person, location or group", "neither a person nor a location", "not a **person**",
        "not a non-entity", "anything but", "person?", "Is it a person?", "It could be a person",
        "I cannot tell whether it is a person.", "Maybe it names a location", "impersonation", "personal",
        "locational", "grouped", "<think>it is a person", "Sorry, I can't help with that.",
        "Select the entity type: person; location", "The post mentions a person and a corporation",
    ],
)  # fmt: skip
def test_a_reply_that_states_no_label_or_several_is_not_guessed_at(reply: str) -> None:
    assert parse_answer(reply, label_set("wnut17")) is None


@pytest.mark.parametrize(
    ("name", "reply", "label"),
    [
        ("conll03", "Person", "PER"),
        ("conll03", "Organization", "ORG"),
        ("conll03", "organisations", "ORG"),
        ("conll03", "Miscellaneous (nationality)", "MISC"),
        ("conll03", "Other", "MISC"),
        ("tweetner", "other", "OTHER"),
        ("tweetner", "The entity type is Other.", "OTHER"),
        ("btc", "other", None),
        ("btc", "MISC", None),
        ("ontonotes5", "Work of Art", "WORK_OF_ART"),
        ("ontonotes5", "work-of-art", "WORK_OF_ART"),
        ("ontonotes5", "Geopolitical entity", "GPE"),
        ("ontonotes5", "GPE, not LOC", "GPE"),
        ("ontonotes5", "facilities", "FAC"),
        ("ontonotes5", "DATE or TIME", None),
        ("jnlpba", "cell type", "cell_type"),
        ("jnlpba", "Entity type: Cell Line", "cell_line"),
        ("jnlpba", "cell\\_type", "cell_type"),
        ("jnlpba", "Proteins", "protein"),
        ("jnlpba", "DNA, not RNA", "DNA"),
        ("jnlpba", "a gene", "DNA"),
        ("jnlpba", "cell", None),
    ],
)
def test_each_label_set_has_its_own_names(name: str, reply: str, label: str | None) -> None:
    assert parse_answer(reply, label_set(name)) == label


@given(st.text(max_size=200), st.sampled_from(sorted(LABEL_SETS)))
def test_any_reply_gives_a_class_of_the_set_or_nothing(reply: str, name: str) -> None:
    assert parse_answer(reply, label_set(name)) in (*label_set(name).classes, None)


_NOISE = ["person", "group", "creative work", "not", "a", "or", "entity", "type", "answer", ",", ".", "\n"]


@given(st.lists(st.sampled_from(_NOISE), max_size=12), st.permutations(["person", "location"]))
def test_a_choice_between_two_labels_is_never_made_for_the_llm(after: list[str], pair: list[str]) -> None:
    reply = f"Answer: {pair[0]} or {pair[1]}. {' '.join(after)}"
    assert parse_answer(reply, label_set("wnut17")) is None


@pytest.mark.parametrize(
    "unit", ["not a ", "person, ", "no entity ", "the answer is ", "<think>", "a-", "is a? ", "1 "]
)
@pytest.mark.timeout(30)
def test_a_long_reply_is_read_in_bounded_work(unit: str) -> None:
    """Only the beginning of a reply is read, and no pattern goes back over it exponentially."""
    assert parse_answer(unit * 50_000 + "\nAnswer: GPE", label_set("ontonotes5")) != "GPE"
