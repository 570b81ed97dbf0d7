from __future__ import annotations

import pytest
import torch

from linkner.errors import ConfigurationError
from linkner.recognition.ensemble import Ensemble
from tests.unit.linkner.recognition.models import tiny_recogniser

SENTENCES = [["Off", "to", "New", "York", "with", "Anna", "Karenina", "!"], [], ["one", "two", "three"]]


def test_one_model_is_itself(tiny_encoder) -> None:
    model = tiny_recogniser(tiny_encoder)
    assert Ensemble([model]).recognise_words(SENTENCES) == model.recognise_words(SENTENCES)


def test_probabilities_and_uncertainty_are_means(tiny_encoder) -> None:
    timid, bold = tiny_recogniser(tiny_encoder, outside=3.5), tiny_recogniser(tiny_encoder, outside=0.0)
    found = [
        {scored.span: scored for one in model.recognise_words(SENTENCES, floor=0.0, max_plausible=99)
         for scored in (*one.entities, *one.plausible) if one is not None}
        for model in (timid, bold, Ensemble([timid, bold]))
    ]  # fmt: skip
    first, second, both = found
    assert both
    for span, scored in both.items():
        for label, probability in scored.scores.items():
            mean = (first[span].scores[label] + second[span].scores[label]) / 2
            assert probability == pytest.approx(mean, abs=1e-5)
        mean = (first[span].uncertainty + second[span].uncertainty) / 2
        assert scored.uncertainty == pytest.approx(mean, abs=1e-5)


def test_training_goes_on_after_it(tiny_encoder) -> None:
    Ensemble([tiny_recogniser(tiny_encoder), tiny_recogniser(tiny_encoder)]).recognise_words(SENTENCES)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_models_that_look_at_other_spans_are_refused(tiny_encoder) -> None:
    members = [tiny_recogniser(tiny_encoder), tiny_recogniser(tiny_encoder, max_span_length=2)]
    with pytest.raises(ConfigurationError, match="cannot be read as one"):
        Ensemble(members)


def test_there_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match="got none"):
        Ensemble([])
