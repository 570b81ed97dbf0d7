from __future__ import annotations

import pytest
import torch

from linkner.recognition.checkpoint import ModelConfig, build
from linkner.recognition.encoder import load_tokeniser, merge_lora
from linkner.recognition.features import Batch, Vectoriser
from linkner.recognition.spanner import SpanHead
from tests.unit.linkner.recognition.models import stir, tiny_config

SENTENCES = [["Anna", "saw", "Rome"], ["BBC"]]


@pytest.fixture
def config(tiny_encoder: str) -> ModelConfig:
    return tiny_config(tiny_encoder)


def batch_of(config: ModelConfig, sentences: list[list[str]]) -> Batch:
    vectoriser = Vectoriser(
        load_tokeniser(config.encoder), window=config.window, max_span_length=config.max_span_length
    )
    return vectoriser.collate(list(vectoriser.windows(sentences)))


def test_the_head_is_a_linear_layer_over_the_concatenation() -> None:
    torch.manual_seed(2)
    head = SpanHead(width=4, hidden=5, classes=3, max_span_length=3, dropout=0.0).eval()
    words, shapes = torch.randn(1, 6, 4), torch.randint(2, (1, 6, head.shape.in_features)).float()
    logits = head(words, shapes)
    by_position = head.shape.weight.unflatten(0, (3, 5))
    for start in range(6):
        for length in range(min(3, 6 - start)):
            end = start + length
            parts = [words[0, start], words[0, end], *shapes[0, start : end + 1]]
            weights = [head.start.weight, head.end.weight, *by_position[: length + 1]]
            hidden = torch.cat(weights, dim=1) @ torch.cat(parts)
            hidden = hidden + head.start.bias + head.length.weight[length]
            expected = head.classify(torch.nn.functional.gelu(hidden))
            torch.testing.assert_close(logits[0, start, length], expected)


def test_logits_do_not_depend_on_the_rest_of_the_batch(config) -> None:
    model = stir(build(config))
    together = model(batch_of(config, SENTENCES))
    for row, sentence in enumerate(SENTENCES):
        alone = model(batch_of(config, [sentence]))
        mask = batch_of(config, [sentence]).span_mask(config.max_span_length)[0]
        torch.testing.assert_close(together[row, : len(sentence)][mask], alone[0][mask], atol=1e-5, rtol=1e-4)


def test_the_case_of_words_matters_to_an_uncased_encoder(config) -> None:
    model = stir(build(config))
    assert not torch.allclose(model(batch_of(config, [["us"]])), model(batch_of(config, [["US"]])))


def test_an_untrained_model_predicts_no_entity(config) -> None:
    logits = build(config).eval()(batch_of(config, SENTENCES))
    assert (logits.argmax(dim=-1) == 0).all()


def test_only_adapters_shapes_and_head_are_trained_with_lora(config) -> None:
    model = build(config)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    adapted = {name for name in trained if name.startswith("encoder.")}
    assert all("lora_" in name for name in adapted)
    linear = [name for name, _ in model.encoder.named_modules() if name.endswith("base_layer")]
    assert len(adapted) == 2 * len(linear) == 2 * 2 * 6  # A and B; 2 layers; query, key, value, 3 dense
    assert trained - adapted == {f"head.{name}" for name, _ in model.head.named_parameters()} | {
        "shape.weight"
    }


def test_merging_the_adapters_changes_no_logits(config) -> None:
    model = stir(build(config))
    batch = batch_of(config, SENTENCES)
    before = model(batch)
    model.encoder = merge_lora(model.encoder)
    assert not any("lora" in name for name, _ in model.named_modules())
    torch.testing.assert_close(model(batch), before, atol=1e-5, rtol=1e-4)


def test_every_trained_weight_gets_a_gradient(config) -> None:
    model = stir(build(config)).train()
    model(batch_of(config, SENTENCES)).square().sum().backward()
    for name, value in model.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name
