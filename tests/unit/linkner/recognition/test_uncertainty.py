from __future__ import annotations

import math

import pytest
import torch

from linkner.recognition.uncertainty import (
    METHODS,
    entropy,
    estimate,
    evidence,
    evidential,
    least_confidence,
    monte_carlo,
)


def test_least_confidence_by_hand() -> None:
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2]])
    torch.testing.assert_close(least_confidence(probabilities), torch.tensor([0.3, 0.6]))


def test_entropy_by_hand() -> None:
    probabilities = torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(
        entropy(probabilities), torch.tensor([math.log(2), math.log(3), 0.0]), atol=1e-6, rtol=0
    )


def test_monte_carlo_takes_the_mean_entropy_not_the_entropy_of_the_mean() -> None:
    passes = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    probabilities, uncertainty = monte_carlo(passes)
    torch.testing.assert_close(probabilities, torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(uncertainty, torch.tensor([0.0]))


def test_evidential_by_hand() -> None:
    logits = torch.tensor([[math.log(2), math.log(5), 0.0]])  # evidence 2, 5, 1; alpha 3, 6, 2
    probabilities, uncertainty = evidential(logits, "exp")
    torch.testing.assert_close(probabilities, torch.tensor([[3 / 11, 6 / 11, 2 / 11]]))
    torch.testing.assert_close(uncertainty, torch.tensor([3 / 11]))


def test_softplus_evidence_by_hand() -> None:
    torch.testing.assert_close(evidence(torch.tensor([0.0]), "softplus"), torch.tensor([math.log(2)]))


@pytest.mark.parametrize("activation", ["exp", "softplus"])
def test_extreme_logits_give_finite_evidence_and_gradients(activation) -> None:
    logits = torch.tensor([[-1e4, 0.0, 1e4]], requires_grad=True)
    probabilities, uncertainty = evidential(logits, activation)
    (probabilities.sum() + uncertainty.sum() + evidence(logits, activation).log1p().sum()).backward()
    assert probabilities.isfinite().all()
    assert 0 < uncertainty.item() <= 1
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_probabilities_and_is_surer_of_a_clearer_span(method) -> None:
    logits = torch.tensor([[0.1, 0.0, 0.0], [6.0, 0.0, 0.0]]).expand(4, -1, -1)
    probabilities, uncertainty = estimate(logits, method=method, activation="exp")
    torch.testing.assert_close(probabilities.sum(dim=-1), torch.ones(2))
    assert uncertainty[0] > uncertainty[1] >= 0
