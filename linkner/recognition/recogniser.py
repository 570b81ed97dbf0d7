"""The recogniser: texts in, named entities with their uncertainty out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from linkner.calibration import DEFAULT_CHECKPOINT
from linkner.errors import ConfigurationError
from linkner.recognition import checkpoint
from linkner.recognition.checkpoint import ModelConfig
from linkner.recognition.decoding import Limits, assemble, owned_spans, select
from linkner.recognition.features import Batch, Vectoriser, Window, by_token_budget
from linkner.recognition.spanner import SpanNer
from linkner.recognition.uncertainty import SAMPLING, Method, estimate
from linkner.spans import Recognition, ScoredSpan
from linkner.text import to_text, words

FLOOR = 0.02
"""Least entity probability of a plausible span, by default."""

MAX_PLAUSIBLE = 16
"""Most plausible spans of one text, by default."""

_TOKEN_BUDGET = {"cpu": 4_096, "cuda": 65_536}
_DROPOUT_SEED = 0


@dataclass(frozen=True, slots=True)
class Computed:
    """What the model computed of `count` sentences, before any entity is chosen.

    Each batch has its B windows, the mask [B, N, L] of the spans that they own, and the logits
    [M, B, N, L, C] of M passes, class 0 being OUTSIDE.
    """

    count: int
    batches: tuple[tuple[Sequence[Window], Tensor, Tensor], ...]


class Recogniser:
    """A trained model ready to label texts. The same input gives the same output; no state is kept.

    Args:
        model: it is moved to `device` and put into the mode that it is to run in.
        config: the model's configuration.
        vectoriser: for the model's encoder.
        device: where to run, `cpu` or `cuda`; CUDA where there is one by default.
        half: run the encoder in bfloat16; by default where the device computes in it.
        uncertainty: how u is estimated, by default as the configuration says. Every method can read every
            model, but for `evidential`, which needs one that was trained for it.

    Raises:
        ConfigurationError: the device is not there, or the model was not trained for `evidential`.
    """

    def __init__(
        self,
        model: SpanNer,
        config: ModelConfig,
        vectoriser: Vectoriser,
        *,
        device: str | None = None,
        half: bool | None = None,
        uncertainty: Method | None = None,
    ) -> None:
        self._activation = config.activation if config.uncertainty == "evidential" else None
        if uncertainty == "evidential" and self._activation is None:
            raise ConfigurationError(
                f"{config.name} gives no evidence",
                expected="a model trained with --uncertainty evidential",
                got=f"one trained for {config.uncertainty}",
            )
        self.config = config if uncertainty is None else replace(config, uncertainty=uncertainty)
        self._device = resolve_device(device)
        self._half = computes_in_bfloat16(self._device) if half is None else half
        self._model = model.to(self._device).train(self.config.uncertainty == "mc-dropout")
        if self.config.uncertainty == "mc-dropout-head":  # train: with dropout, and nothing else
            self._model.dropout.train()
            self._model.head.train()
        self._vectoriser = vectoriser

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path | None = None,
        *,
        device: str | None = None,
        half: bool | None = None,
        uncertainty: Method | None = None,
    ) -> Recogniser:
        """The recogniser of a checkpoint folder, by default the one that comes with LinkNER.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            ConfigurationError: its encoder or the device is not there, or it gives no such uncertainty.
        """
        model, config, digest = checkpoint.load(Path(path) if path is not None else DEFAULT_CHECKPOINT)
        named = replace(config, name=f"{config.name}-{digest[:8]}")
        vectoriser = checkpoint.vectoriser(config)
        return cls(model, named, vectoriser, device=device, half=half, uncertainty=uncertainty)

    @property
    def name(self) -> str:
        """The model's name with the beginning of its weights' SHA-256, to be recorded with results."""
        return self.config.name

    @property
    def label_set(self) -> str:
        """The name of the label set."""
        return self.config.label_set

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that entities can have."""
        return self.config.labels

    def recognise(
        self, texts: Sequence[str], *, floor: float = FLOOR, max_plausible: int = MAX_PLAUSIBLE
    ) -> list[Recognition]:
        """One recognition for each text, in order; offsets are code points of the text.

        Args:
            texts: of any length and content; a text without words has no spans.
            floor: least entity probability of a plausible span.
            max_plausible: most plausible spans of one text.
        """
        offsets = [words(text) for text in texts]
        sentences = [[word.of(text) for word in spans] for text, spans in zip(texts, offsets, strict=True)]
        recognitions = self.recognise_words(sentences, floor=floor, max_plausible=max_plausible)

        def in_text(spans: tuple[ScoredSpan, ...], index: int) -> tuple[ScoredSpan, ...]:
            return tuple(replace(scored, span=to_text(offsets[index], scored.span)) for scored in spans)

        return [
            Recognition(entities=in_text(found.entities, index), plausible=in_text(found.plausible, index))
            for index, found in enumerate(recognitions)
        ]

    def recognise_words(
        self, sentences: Sequence[Sequence[str]], *, floor: float = FLOOR, max_plausible: int = MAX_PLAUSIBLE
    ) -> list[Recognition]:
        """The same for texts already split into words; offsets are words of the sentence."""
        return self.decode(self.compute(sentences), floor=floor, max_plausible=max_plausible)

    def compute(self, sentences: Sequence[Sequence[str]]) -> Computed:
        """The model's part of `recognise_words`, nearly all of its work; `decode` does the rest."""
        windows = list(self._vectoriser.windows(sentences))
        with torch.inference_mode():
            batches = by_token_budget(windows, budget=_TOKEN_BUDGET[self._device.type])
            return Computed(count=len(sentences), batches=tuple(map(self._compute_batch, batches)))

    def decode(
        self,
        computed: Computed,
        *,
        outside: float = 0.0,
        floor: float = FLOOR,
        max_plausible: int = MAX_PLAUSIBLE,
    ) -> list[Recognition]:
        """What `recognise_words` gives, from what `compute` gave.

        Args:
            computed: by this recogniser.
            outside: by how much to lower the logit of OUTSIDE; more spans are then entities.
            floor: least entity probability of a plausible span.
            max_plausible: most plausible spans of one text.
        """
        limits = Limits(floor=floor, most=max_plausible)
        estimates = self.estimates(computed, outside=outside)
        return choose(computed, estimates, labels=self.config.labels, limits=limits)

    def estimates(self, computed: Computed, *, outside: float = 0.0) -> list[tuple[Tensor, Tensor]]:
        """Probabilities [B, N, L, C] and uncertainty [B, N, L] of each batch; arguments as of `decode`."""
        # No generator: one that waits inside of inference_mode would leave it on for its caller.
        with torch.inference_mode():
            return [self._estimate(logits, outside) for _, _, logits in computed.batches]

    def _estimate(self, logits: Tensor, outside: float) -> tuple[Tensor, Tensor]:
        lowered = torch.cat([logits[..., :1] - outside, logits[..., 1:]], dim=-1) if outside else logits
        return estimate(lowered, method=self.config.uncertainty, activation=self._activation)

    def _compute_batch(self, windows: Sequence[Window]) -> tuple[Sequence[Window], Tensor, Tensor]:
        batch = self._vectoriser.collate(windows).to(self._device)
        mask = owned_spans(batch.span_mask(self.config.max_span_length), windows)
        return windows, mask, torch.stack(list(self._passes(batch)))

    def _passes(self, batch: Batch) -> Iterator[Tensor]:
        """The logits of one pass, or of several with dropout, whose draws are the same for the same batch."""
        if self.config.uncertainty not in SAMPLING:
            yield self._model(batch, half=self._half)
            return
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(_DROPOUT_SEED)
            whole = self.config.uncertainty == "mc-dropout"
            words = None if whole else self._model.encode(batch, half=self._half)
            for _ in range(self.config.passes):
                if words is None:
                    yield self._model(batch, half=self._half)
                else:
                    yield self._model.classify(words, batch)


def choose(
    computed: Computed,
    estimates: Iterable[tuple[Tensor, Tensor]],
    *,
    labels: Sequence[str],
    limits: Limits,
) -> list[Recognition]:
    """The recognition of each sentence from the `estimates` of its spans, batch by batch."""
    found: list[tuple[int, ScoredSpan]] = []
    for (windows, mask, _), (probabilities, uncertainty) in zip(computed.batches, estimates, strict=True):
        found.extend(
            select(probabilities, uncertainty, mask=mask, windows=windows, labels=labels, limits=limits)
        )
    return assemble(found, count=computed.count, limits=limits)


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than fp32 there: any recent GPU, or a CPU with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def resolve_device(name: str | None) -> torch.device:
    """The named device; CUDA where there is one, else the CPU, for None.

    Raises:
        ConfigurationError: it is not there, or LinkNER does not run on it.
    """
    wanted = name or ("cuda" if torch.cuda.is_available() else "cpu")
    kind = wanted.partition(":")[0]
    if kind not in _TOKEN_BUDGET or (kind == "cuda" and not torch.cuda.is_available()):
        raise ConfigurationError("no such device", expected="cpu, or cuda where there is a GPU", got=wanted)
    return torch.device(wanted)
