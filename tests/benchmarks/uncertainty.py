"""What each uncertainty estimate costs, and how well it tells wrong entities, on one checkpoint.

Monte Carlo dropout stands there twice: with passes over the whole model, as in the paper, and over the head
alone, for which the encoder runs once.

python -m tests.benchmarks.uncertainty dev.conll --model models/mine --passes 8
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from linkner.conll import Sentence
from linkner.errors import ConfigurationError
from linkner.recognition.recogniser import Recogniser
from linkner.recognition.uncertainty import METHODS
from trainer.evaluation.local import Recognised, read_labelled, recognise
from trainer.evaluation.metrics import auroc, calibration_error, reliability


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="CoNLL file with gold tags; not the one to be reported on")
    parser.add_argument("--model", type=Path, help="checkpoint folder")
    parser.add_argument("--passes", type=int, default=8, help="stochastic passes (M)")
    parser.add_argument("--sentences", type=int, help="the first so many only")
    arguments = parser.parse_args()
    table = Table(title=f"uncertainty on {arguments.data.name}, M = {arguments.passes}")
    for column in ("estimate", "seconds", "cost", "F1", "AUROC", "ECE"):
        table.add_column(column, justify="left" if column == "estimate" else "right")
    one_pass = None
    for method in METHODS:
        try:
            recogniser = Recogniser.from_pretrained(arguments.model, uncertainty=method)
        except ConfigurationError as error:
            print(f"{method}: {error.problem}")
            continue
        recogniser.config = replace(recogniser.config, passes=arguments.passes)
        sentences = read_labelled(arguments.data, labels=recogniser.labels)[: arguments.sentences]
        seconds = seconds_of(recogniser, sentences)
        one_pass = one_pass or seconds  # the first estimate takes one pass
        found = recognise(recogniser, sentences)
        pairs = list(found.predicted())
        gold = sum(len(sentence.entities) for sentence in sentences)
        f1 = 2 * sum(right for _, right in pairs) / max(len(pairs) + gold, 1)
        table.add_row(
            method,
            f"{seconds:.1f}",
            f"{seconds / one_pass:.2f}",
            f"{100 * f1:.1f}",
            *("–" if value is None else f"{value:.3f}" for value in (auroc(found), ece(found))),
        )
    Console().print(table)


def seconds_of(recogniser: Recogniser, sentences: list[Sentence]) -> float:
    """The CPU time of one recognition of all sentences, as a stream's posts are recognised."""
    given = [sentence.words for sentence in sentences]
    recogniser.recognise_words(given[:32])
    begin = time.process_time()
    recogniser.recognise_words(given)
    return time.process_time() - begin


def ece(found: Recognised) -> float | None:
    return calibration_error(reliability(found))


if __name__ == "__main__":
    main()
