from __future__ import annotations

import math

import pytest
import torch
from scipy.special import digamma, gammaln
from torch.distributions import Dirichlet, kl_divergence

from linkner.recognition.losses import Balance, annealed, cross_entropy, e_ner

NO_PENALTY = Balance(divergence=0.0, uncertainty=0.0)


def logits_of(*evidence: float) -> torch.Tensor:
    return torch.tensor([evidence]).log()


def test_cross_entropy_by_hand() -> None:
    loss = cross_entropy(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(4 / 3), abs=1e-6)


def test_classification_term_by_hand() -> None:
    # Evidence 2, 1: alpha 3, 2; strength 5; weight 1 - 2/5; ψ(5) - ψ(3) = 1/3 + 1/4.
    loss = e_ner(logits_of(2, 1), torch.tensor([0]), activation="exp", balance=NO_PENALTY)
    assert loss.item() == pytest.approx(0.6 * (1 / 3 + 1 / 4), abs=1e-6)


def test_divergence_term_by_hand_and_against_torch() -> None:
    # The true class is masked to 1: alpha~ = (1, 2). KL[Dir(1, 2) || Dir(1, 1)] = log 2 - 1/2.
    targets, balance = torch.tensor([0]), Balance(divergence=1.0, uncertainty=0.0)
    with_penalty = e_ner(logits_of(2, 1), targets, activation="exp", balance=balance)
    without = e_ner(logits_of(2, 1), targets, activation="exp", balance=NO_PENALTY)
    expected = math.log(2) - 0.5
    assert (with_penalty - without).item() == pytest.approx(expected, abs=1e-6)
    reference = kl_divergence(Dirichlet(torch.tensor([1.0, 2.0])), Dirichlet(torch.ones(2)))
    assert expected == pytest.approx(reference.item(), abs=1e-6)


def test_uncertainty_term_counts_wrongly_predicted_spans_only() -> None:
    # Both spans have evidence 3, 1, so u = 2/6; the second is of class 1 and thus predicted wrongly.
    logits, balance = logits_of(3, 1).expand(2, -1), Balance(divergence=0.0, uncertainty=0.5)
    right = e_ner(logits, torch.tensor([0, 0]), activation="exp", balance=balance)
    assert right.item() == pytest.approx(
        e_ner(logits, torch.tensor([0, 0]), activation="exp", balance=NO_PENALTY).item()
    )
    one_wrong = e_ner(logits, torch.tensor([0, 1]), activation="exp", balance=balance)
    plain = e_ner(logits, torch.tensor([0, 1]), activation="exp", balance=NO_PENALTY)
    assert (one_wrong - plain).item() == pytest.approx(0.5 * math.log(3) / 2, abs=1e-6)


def test_whole_loss_against_another_implementation() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(20, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(4, (20,), generator=generator)
    balance = Balance(divergence=0.3, uncertainty=0.7)
    expected = 0.0
    for row, target in zip(logits.exp().tolist(), targets.tolist(), strict=True):
        alpha = [value + 1 for value in row]
        strength = sum(alpha)
        expected += (1 - row[target] / strength) * (digamma(strength) - digamma(alpha[target]))
        masked = [1.0 if index == target else value for index, value in enumerate(alpha)]
        total = sum(masked)
        divergence = gammaln(total) - gammaln(4) - sum(gammaln(value) for value in masked)
        divergence += sum((value - 1) * (digamma(value) - digamma(total)) for value in masked)
        expected += 0.3 * divergence
        if row.index(max(row)) != target:
            expected -= 0.7 * math.log(4 / strength)
    loss = e_ner(logits, targets, activation="exp", balance=balance)
    assert loss.item() == pytest.approx(expected / 20, rel=1e-7)


@pytest.mark.parametrize("activation", ["exp", "softplus"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_gradients_are_finite_however_large_the_logits(activation, scale) -> None:
    generator = torch.Generator().manual_seed(5)
    logits = (torch.randn(50, 7, generator=generator) * scale).requires_grad_()
    targets = torch.randint(7, (50,), generator=generator)
    loss = e_ner(logits, targets, activation=activation, balance=Balance(divergence=1.0, uncertainty=1.0))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_descent_on_the_loss_learns_the_classes() -> None:
    targets = torch.tensor([0, 1, 2, 0])
    logits = torch.zeros(4, 3, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        e_ner(logits, targets, activation="exp", balance=Balance(divergence=0.1, uncertainty=0.1)).backward()
        optimiser.step()
    assert logits.argmax(dim=-1).tolist() == targets.tolist()


def test_weights_grow_from_their_start_to_one() -> None:
    assert annealed(0.01, progress=0.0) == pytest.approx(0.01)
    assert annealed(0.01, progress=0.5) == pytest.approx(0.1)
    assert annealed(0.01, progress=1.0) == pytest.approx(1.0)
