"""Label sets: the entity types of each data set, their guideline, and the names an LLM may answer with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from linkner.errors import ConfigurationError
from linkner.spans import OUTSIDE


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The entity types of one annotation scheme; `labels` is without `OUTSIDE`.

    `descriptions` says what belongs to each label. `synonyms` are its other names, in lower case.
    `guideline` is the text that explains the set to an LLM.
    """

    name: str
    labels: tuple[str, ...]
    descriptions: Mapping[str, str]
    synonyms: Mapping[str, tuple[str, ...]]
    whole_text: str = field(default="", kw_only=True)
    """Replaces the guideline made of `descriptions` where it is not empty."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of a model, in the order of its outputs: `OUTSIDE`, then the labels."""
        return (OUTSIDE, *self.labels)

    @property
    def guideline(self) -> str:
        """One line for each label, or the whole text that replaced them."""
        if self.whole_text:
            return self.whole_text
        return "\n".join(f"- {label}: {self.descriptions[label]}" for label in self.labels)


def _set(name: str, types: Mapping[str, tuple[str, tuple[str, ...]]]) -> LabelSet:
    """A label set from {label: (description, synonyms)}."""
    return LabelSet(
        name=name,
        labels=tuple(types),
        descriptions=MappingProxyType({label: description for label, (description, _) in types.items()}),
        synonyms=MappingProxyType({label: synonyms for label, (_, synonyms) in types.items()}),
    )


_PERSON = ("person", "people", "human", "individual")
_PLACE = ("location", "place")
_BODY = ("organisation", "organization", "company", "institution")

_WNUT17 = _set(
    "wnut17",
    {
        "person": (
            "one individual called by name, nickname, stage name or account name; real or invented. Roles "
            "and relations without a name (my boss, the president) are not.",
            ("per", "people", "human", "individual"),
        ),
        "location": (
            "a place with its own name: country, town, region, street, river, park, venue or building, real "
            "or invented. Not a kind of place (the beach).",
            ("loc", "place", "gpe", "facility"),
        ),
        "group": (
            "people who act under one proper name: band, sports club, party, agency, university, fan "
            "community. A business that sells goods or services is a corporation.",
            ("team", "sports team", "band", "club"),
        ),
        "corporation": (
            "a business by its name: maker, shop or restaurant chain, bank, media house, internet service as "
            "the firm that runs it.",
            ("company", "business", "firm", "corp"),
        ),
        "product": (
            "a made thing that can be bought or handled, by its official name or model: phone, car, game "
            "console, food brand, medicine. Not a kind of thing (a laptop).",
            ("prod",),
        ),
        "creative-work": (
            "the title of something authored: film, series, song, album, book, video game, play, show, or a "
            "title shortened as its fans do.",
            ("work of art", "creative", "movie", "film", "song", "book", "album", "tv show", "video game"),
        ),
    },
)

_CONLL03 = _set(
    "conll03",
    {
        "PER": ("a person by name, with or without first name; also an invented one.", _PERSON),
        "LOC": (
            "a named place: country, town, region, sea, mountain, road, building. A country's or town's team "
            "in a match is an organisation.",
            _PLACE,
        ),
        "ORG": (
            "a named body of people: company, agency, party, newspaper, sports club, ministry, university.",
            _BODY,
        ),
        "MISC": (
            "any other name: nationality or its adjective, language, event, competition, title of a work, "
            "product, religion, war.",
            ("miscellaneous", "other"),
        ),
    },
)

_BTC = _set(
    "btc",
    {
        "PER": (
            "a person by name, nickname or account name, real or invented; a named animal too.",
            _PERSON,
        ),
        "LOC": ("a named place: country, town, street, building, stadium as a place.", _PLACE),
        "ORG": (
            "a named body of people: company, club, band, newspaper, broadcaster, agency; an account that "
            "belongs to one counts as well.",
            _BODY,
        ),
    },
)

_TWEETNER = _set(
    "tweetner",
    {
        "PER": ("a person by name, nickname or account name, real or invented.", _PERSON),
        "LOC": (
            "a named place; decide by this post: a town's name that stands for its team is an organisation.",
            _PLACE,
        ),
        "ORG": (
            "a named body of people: company, club, band, media house, agency, also by its account.",
            _BODY,
        ),
        "OTHER": (
            "any other name: event, product, title of a work, nationality, language, prize.",
            ("misc", "miscellaneous"),
        ),
    },
)

_JNLPBA = _set(
    "jnlpba",
    {
        "protein": (
            "a protein by name: molecule, family, complex, subunit, domain, receptor, antibody, enzyme.",
            ("proteins",),
        ),
        "DNA": (
            "a named piece of DNA: gene, promoter, enhancer, locus, chromosome region, plasmid, site.",
            ("gene", "deoxyribonucleic acid"),
        ),
        "RNA": ("a named RNA: messenger, ribosomal or other transcript.", ("mrna", "ribonucleic acid")),
        "cell_type": ("a kind of cell as it occurs in a body, such as T lymphocytes.", ("cell types",)),
        "cell_line": ("cells kept in culture under a name, such as HeLa.", ("cell lines",)),
    },
)

_ONTONOTES5 = _set(
    "ontonotes5",
    {
        "PERSON": ("a person by name, real or invented.", ("per", "people", "human", "individual")),
        "NORP": (
            "a nationality, or a religious or political group, as noun or adjective.",
            (
                "nationality",
                "religious group",
                "political group",
                "nationalities or religious or political groups",
            ),
        ),
        "FAC": ("a named structure: building, airport, bridge, road, station.", ("facility", "building")),
        "ORG": ("a named body of people: company, agency, institution, club, party.", _BODY),
        "GPE": (
            "a place that has a government: country, state, town.",
            ("geopolitical entity", "geo-political entity", "country", "city", "state"),
        ),
        "LOC": ("a named place without a government: mountains, water, continent, region.", ("location",)),
        "PRODUCT": ("a named thing that is made: vehicle, weapon, device, food. Not a service.", ("prod",)),
        "EVENT": ("a named happening: storm, battle, war, tournament, festival.", ()),
        "WORK_OF_ART": (
            "the title of a book, song, film, series, painting or prize.",
            ("creative work", "title", "artwork"),
        ),
        "LAW": ("a legal text by name: act, treaty, constitution, chapter of one.", ("legal document",)),
        "LANGUAGE": ("a language by name.", ()),
        "DATE": ("a day or a longer time, absolute or relative, also an age or a period.", ()),
        "TIME": ("a time or duration shorter than a day.", ()),
        "PERCENT": ("a share in percent, with its sign or word.", ("percentage",)),
        "MONEY": ("a sum of money with its currency.", ("monetary value", "currency")),
        "QUANTITY": ("a measurement with its unit: weight, distance, speed.", ("measurement",)),
        "ORDINAL": ("a position in an order: first, 3rd.", ("ordinal number",)),
        "CARDINAL": (
            "a number that none of the other types covers.",
            ("number", "numeral", "cardinal number"),
        ),
    },
)

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {one.name: one for one in (_CONLL03, _ONTONOTES5, _WNUT17, _TWEETNER, _BTC, _JNLPBA)}
)
"""The built-in label sets by name; WikiGold and the CoNLL'03 variants use `conll03`."""


def label_set(name: str, *, descriptions: Mapping[str, str] | str | None = None) -> LabelSet:
    """The built-in label set `name`, with other `descriptions` where they are given.

    A mapping has one text for each label of the set, or holds a text for the whole set under the set's name
    (as the paper's Table 8 does); a string is such a text.

    Raises:
        ConfigurationError: there is no such set, or the descriptions do not fit its labels.
    """
    found = LABEL_SETS.get(name)
    if found is None:
        raise ConfigurationError(
            f"there is no label set {name!r}",
            expected=f"one of {', '.join(LABEL_SETS)}",
            hint="see LINKNER_LABEL_SET",
        )
    if descriptions is None:
        return found
    if isinstance(descriptions, Mapping) and name in descriptions:
        descriptions = descriptions[name]
    if isinstance(descriptions, str) and descriptions.strip():
        return replace(found, whole_text=descriptions.strip())
    if isinstance(descriptions, str) or set(descriptions) != set(found.labels):
        raise ConfigurationError(
            f"the descriptions do not fit the label set {name}",
            expected=f"a text under {name!r}, or one for each of {', '.join(found.labels)}",
            got="an empty text"
            if isinstance(descriptions, str)
            else ", ".join(sorted(descriptions)) or "none",
        )
    return replace(found, descriptions=MappingProxyType(dict(descriptions)))


def read_descriptions(path: str | Path) -> Mapping[str, str]:
    """Descriptions from a JSON file, {label: text} or {set name: text}, for `label_set`.

    Raises:
        ConfigurationError: the file cannot be read or holds something else.
    """
    expected = "a JSON object of texts by label or by label set"
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read label descriptions from {path}", expected=expected, got=str(error)
        ) from error
    texts = list(value.values()) if isinstance(value, dict) else []
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ConfigurationError(f"{path} does not hold label descriptions", expected=expected)
    return dict(value)
