"""What the paper reports, to stand beside what is measured: its tables 3, 4, 6 and 7.

Its encoders are BERT-large for confidence, entropy and Monte Carlo dropout and BERT-base for evidential
(E-NER), its LLM is GPT-3.5. Ratios are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_SETS = (
    "conll03",
    "conll03-typos",
    "conll03-oov",
    "wikigold",
    "wnut17",
    "tweetner",
    "jnlpba",
    "ontonotes5",
)

# Each row has one value for each of _SETS: thresholds, then per cents.
_THRESHOLD = {
    "confidence": (0.4, 0.4, 0.4, 0.4, 0.1, 0.3, 0.4, 0.8),
    "entropy": (0.7, 0.7, 0.7, 0.7, 0.3, 0.8, 0.7, 0.9),
    "mc-dropout": (0.8, 0.8, 0.8, 0.8, 0.1, 0.6, 0.4, 0.7),
    "evidential": (0.4, 0.4, 0.4, 0.4, 0.1, 0.2, 0.2, 0.5),
}
_LOCAL = {
    "confidence": (92.37, 81.83, 64.43, 80.54, 51.83, 74.93, 75.07, 87.82),
    "entropy": (92.37, 81.83, 64.43, 80.54, 51.83, 74.93, 75.07, 87.82),
    "mc-dropout": (92.67, 83.58, 69.49, 78.30, 49.07, 75.25, 76.39, 88.42),
    "evidential": (92.00, 82.69, 68.61, 81.09, 51.74, 75.64, 76.44, 88.70),
}
_LINKED = {
    "confidence": (92.99, 83.85, 69.63, 82.51, 65.12, 79.18, 82.22, 89.20),
    "entropy": (93.32, 84.41, 71.24, 83.79, 65.45, 79.20, 82.89, 88.72),
    "mc-dropout": (94.18, 85.48, 71.95, 82.49, 66.67, 80.12, 81.93, 90.45),
    "evidential": (93.05, 85.73, 72.91, 85.08, 73.04, 77.02, 84.60, 89.71),
}
_SHARE = {
    "confidence": (0.08, 0.27, 1.18, 0.49, 59.70, 1.74, 21.58, 0.47),
    "entropy": (2.23, 4.09, 6.88, 8.13, 60.18, 10.41, 45.31, 4.59),
    "mc-dropout": (0.44, 0.95, 0.35, 0.66, 13.82, 0.36, 6.33, 0.16),
    "evidential": (2.81, 12.90, 21.17, 19.79, 85.13, 72.65, 50.35, 1.56),
}
_LLM_ALONE = (67.08, 62.24, 62.74, 71.28, 42.53, 55.59, 41.25, 51.15)

_ABLATED = ("conll03", "conll03-typos", "conll03-oov", "ontonotes5", "wnut17")
_IN_CONTEXT = {  # (few-shot, label description): one value for each of _ABLATED
    (False, False): (92.50, 83.60, 71.25, 89.16, 77.96),
    (False, True): (92.85, 85.51, 70.68, 89.59, 77.54),
    (True, False): (92.94, 84.79, 71.60, 89.37, 64.51),
    (True, True): (93.05, 85.73, 72.91, 89.71, 73.04),
}


@dataclass(frozen=True, slots=True)
class Reported:
    """The paper's figures for one uncertainty on one data set: τ, F1 alone and linked, the LLM's share.

    None where the paper has none.
    """

    threshold: float | None = None
    local_f1: float | None = None
    linked_f1: float | None = None
    llm_share: float | None = None


_REPORTED: Mapping[tuple[str, str], Reported] = MappingProxyType(
    {
        (name, method): Reported(
            threshold=_THRESHOLD[method][place],
            local_f1=_LOCAL[method][place] / 100,
            linked_f1=_LINKED[method][place] / 100,
            llm_share=_SHARE[method][place] / 100,
        )
        for method in _THRESHOLD
        for place, name in enumerate(_SETS)
    }
)


def reported(data_set: str | None, method: str) -> Reported:
    """The paper's figures for a data set and an uncertainty.

    Dropout in the head alone, which the paper does not have, stands under Monte Carlo dropout.
    """
    known = "mc-dropout" if method == "mc-dropout-head" else method
    return _REPORTED.get((data_set or "", known), Reported())


def reported_llm_alone(data_set: str | None) -> float | None:
    """The paper's F1 of GPT-3.5 by itself."""
    return _LLM_ALONE[_SETS.index(data_set)] / 100 if data_set in _SETS else None


def reported_in_context(data_set: str | None, *, few_shot: bool, described: bool) -> float | None:
    """The paper's F1 of E-NER linked to GPT-3.5, with and without examples and label descriptions."""
    if data_set not in _ABLATED:
        return None
    return _IN_CONTEXT[few_shot, described][_ABLATED.index(data_set)] / 100
