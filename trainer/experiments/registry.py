"""The data sets of the paper, and one more: what each is, under which licence, and where it comes from.

No data comes with LinkNER. Each set goes into a folder of its name, as CoNLL columns in `train.conll`,
`dev.conll` and `test.conll`; what is missing is named together with where to obtain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from linkner import conll
from linkner.conll import Sentence
from linkner.errors import ConfigurationError, InputError
from linkner.labels import LABEL_SETS, LabelSet

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Setting = Literal["ID", "OOD", "OOV"]
"""What the test set is to a model trained on the training set: in its domain, out of it, or unseen names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet:
    """One data set.

    `source` says where to obtain it, `form` how to make the files of `splits` of what one obtains. A set
    without a training and a dev part borrows those of `trained_on`. In files that are `consistent` all tags
    are of one scheme; in others an I- tag may begin an entity anywhere.
    """

    name: str
    title: str
    setting: Setting
    labels: LabelSet
    licence: str
    source: str
    form: str
    splits: tuple[Split, ...] = SPLITS
    trained_on: str | None = None
    consistent: bool = True

    def file(self, folder: Path, split: Split) -> Path:
        """The file of a split in the set's folder.

        Raises:
            InputError: the set has no such split, or the file is not there; the error says where to get it.
        """
        path = folder / f"{split}.conll"
        if split not in self.splits:
            raise InputError(
                f"{self.title} has no {split} part",
                expected=" or ".join(self.splits),
                hint=f"take the {split} part of {self.trained_on}" if self.trained_on else "",
            )
        if not path.is_file():
            raise InputError(
                f"{path} is not there",
                expected=f"{self.title} ({self.licence}): {self.form}",
                hint=f"obtain it from {self.source}",
            )
        return path

    def read(self, path: Path) -> list[Sentence]:
        """The sentences of a file of this set. Raises what `linkner.conll.read` does."""
        return conll.read(path, strict=self.consistent)


_COLUMNS = "one word and its tag a line, a blank line between sentences"
_AS_CONLL03 = "the licence of CoNLL'03, of whose test set it is made"

_DATA_SETS = (
    DataSet(
        name="conll03",
        title="CoNLL'03",
        setting="ID",
        labels=LABEL_SETS["conll03"],
        licence="annotations free for research; texts by agreement with NIST for research only",
        source="the CoNLL-2003 shared task (University of Antwerp) for the annotations, and NIST for the "
        "texts, Reuters Corpus RCV1",
        form="eng.train, eng.testa and eng.testb as the task's script makes them, renamed to train.conll, "
        "dev.conll and test.conll",
    ),
    DataSet(
        name="conll03-typos",
        title="CoNLL'03-Typos",
        setting="OOV",
        labels=LABEL_SETS["conll03"],
        licence=_AS_CONLL03,
        source="the TextFlint project: its NER data for robustness tests, transformation EntTypos",
        form=f"test.conll: {_COLUMNS}, written from the `x` (words) and `y` (tags) of its JSON lines",
        splits=("test",),
        trained_on="conll03",
    ),
    DataSet(
        name="conll03-oov",
        title="CoNLL'03-OOV",
        setting="OOV",
        labels=LABEL_SETS["conll03"],
        licence=_AS_CONLL03,
        source="the TextFlint project: its NER data for robustness tests, transformation OOV",
        form=f"test.conll: {_COLUMNS}, written from the `x` (words) and `y` (tags) of its JSON lines",
        splits=("test",),
        trained_on="conll03",
    ),
    DataSet(
        name="wikigold",
        title="WikiGold",
        setting="OOD",
        labels=LABEL_SETS["conll03"],
        licence="CC BY 4.0",
        source="Balasuriya et al. 2009 (University of Sydney): wikigold.conll.txt",
        form="wikigold.conll.txt as it is, renamed to test.conll",
        splits=("test",),
        trained_on="conll03",
    ),
    DataSet(
        name="wnut17",
        title="WNUT'17",
        setting="OOV",
        labels=LABEL_SETS["wnut17"],
        licence="CC BY 4.0",
        source="the shared task of WNUT 2017 on emerging and rare entities (Derczynski et al. 2017)",
        form="wnut17train.conll, emerging.dev.conll and emerging.test.annotated as they are, renamed to "
        "train.conll, dev.conll and test.conll",
    ),
    DataSet(
        name="tweetner",
        title="TweetNER",
        setting="OOV",
        labels=LABEL_SETS["tweetner"],
        licence="none stated; the posts are under X's (Twitter's) terms",
        source="the authors of `Adaptive Co-attention Network for Named Entity Recognition in Tweets` (Zhang "
        "et al. 2018), also known as Twitter-2015",
        form="train.txt, valid.txt and test.txt as they are, with or without the IMGID lines, renamed to "
        "train.conll, dev.conll and test.conll",
        consistent=False,
    ),
    DataSet(
        name="jnlpba",
        title="JNLPBA",
        setting="OOV",
        labels=LABEL_SETS["jnlpba"],
        licence="GENIA Project License for Annotated Corpora (CC BY 3.0)",
        source="the GENIA project (University of Tokyo): BioNLP / JNLPBA shared task 2004",
        form="Genia4ERtask1.iob2 split into train.conll and dev.conll, and Genia4EReval1.iob2 as test.conll; "
        "the MEDLINE lines may stay",
    ),
    DataSet(
        name="ontonotes5",
        title="OntoNotes 5.0",
        setting="ID",
        labels=LABEL_SETS["ontonotes5"],
        licence="LDC User Agreement: by licence only, no redistribution",
        source="the Linguistic Data Consortium, LDC2013T19, with the splits of the CoNLL-2012 shared task",
        form="all *_gold_conll files of a split one after the other in train.conll, dev.conll and test.conll "
        "(as CoNLL-2012 has them, names in brackets), or the same as columns with BIO tags",
    ),
    DataSet(
        name="btc",
        title="Broad Twitter Corpus",
        setting="ID",
        labels=LABEL_SETS["btc"],
        licence="CC BY 4.0",
        source="the GATE project (University of Sheffield): Derczynski, Bontcheva and Roberts 2016",
        form="sections A, B, E, F and G as train.conll, the second half of H as dev.conll, its first half as "
        f"test.conll: {_COLUMNS}",
    ),
)

DATA_SETS: Mapping[str, DataSet] = MappingProxyType({one.name: one for one in _DATA_SETS})
"""The paper's eight data sets and the Broad Twitter Corpus, by name."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A labelled file: where it is, and which data set and split it is of, as far as that is known."""

    path: Path
    data_set: DataSet | None
    split: Split | None

    @property
    def title(self) -> str:
        """`WNUT'17 dev`, or the file's name."""
        if self.data_set is None:
            return self.path.name
        return f"{self.data_set.title} {self.split or self.path.name}"

    def read(self) -> list[Sentence]:
        """Its sentences. Raises what `linkner.conll.read` does."""
        return self.data_set.read(self.path) if self.data_set else conll.read(self.path)


def find(path: Path, *, split: Split, name: str | None = None) -> DataFile:
    """The labelled file that `path` names: itself, or the one of the `split` in a data set's folder.

    The set is the one called `name`; without it, the one that the file's folder is named after, if any.

    Raises:
        ConfigurationError: there is no data set of that name, or the folder is none of a data set.
        InputError: the file is not there; the error says where to obtain the set and in what form.
    """
    is_file = path.is_file() or (path.suffix and not path.is_dir())  # what is not there goes by its name
    folder = path.parent if is_file else path
    known = data_set(name) if name is not None else DATA_SETS.get(folder.name)
    if folder == path:
        if known is None:
            raise ConfigurationError(
                f"{path} is not the folder of a known data set",
                expected=f"a file, or a folder with the name of one of {', '.join(DATA_SETS)}",
                hint="or name the set with --data-set",
            )
        return DataFile(known.file(path, split), known, split)
    if not path.is_file():
        if known is not None and path.stem in SPLITS:
            known.file(folder, path.stem)
        raise InputError(f"{path} is not there", expected="a file of CoNLL columns")
    return DataFile(path, known, path.stem if path.stem in SPLITS else None)


def data_set(name: str) -> DataSet:
    """The data set of that name. Raises ConfigurationError where there is none."""
    if name not in DATA_SETS:
        raise ConfigurationError(f"there is no data set {name!r}", expected=f"one of {', '.join(DATA_SETS)}")
    return DATA_SETS[name]
