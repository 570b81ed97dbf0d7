from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from linkner.recognition.bottleneck import Bottleneck


def test_training_samples_and_recognition_takes_the_mean() -> None:
    torch.manual_seed(1)
    bottleneck, vectors = Bottleneck(4), torch.randn(3, 4)
    samples = torch.stack([bottleneck(vectors) for _ in range(4_000)])
    bottleneck.eval()
    mean = bottleneck(vectors)
    assert torch.equal(bottleneck(vectors), mean)
    torch.testing.assert_close(samples.mean(dim=0), mean, atol=0.02, rtol=0)
    assert samples.std(dim=0).mean().item() == pytest.approx(0.135, abs=0.01)  # exp(-4 / 2)


def test_the_divergence_is_that_from_a_standard_normal() -> None:
    torch.manual_seed(1)
    bottleneck, vectors = Bottleneck(4), torch.randn(2, 3, 4)
    bottleneck.log_variance.weight.data.normal_()
    bottleneck(vectors)
    scale = (0.5 * bottleneck.log_variance(vectors)).exp()
    expected = kl_divergence(Normal(bottleneck.mean(vectors), scale), Normal(0.0, 1.0)).sum(dim=-1)
    torch.testing.assert_close(bottleneck.divergence, expected)
    assert bottleneck.divergence.shape == (2, 3)
