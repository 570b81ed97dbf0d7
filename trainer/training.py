"""The training loop of one worker. It knows nothing of Ray: a single process can run it as it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from linkner.conll import Sentence
from linkner.errors import CheckpointError, ConfigurationError, InputError
from linkner.recognition import checkpoint
from linkner.recognition.checkpoint import ModelConfig
from linkner.recognition.losses import Balance, annealed, cross_entropy, e_ner
from linkner.recognition.recogniser import Recogniser, computes_in_bfloat16, resolve_device
from linkner.scoring import Scores
from trainer import resumption
from trainer.augmentation import Augmentation
from trainer.balancing import balanced
from trainer.datasets import Example, batches, check_labels, examples, hide, tensors
from trainer.moving_average import MovingAverage
from trainer.recipe import Progress, Recipe
from trainer.resumption import Standing

_REPORT_EVERY = 10  # steps
_MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW keeps of each parameter, beside the number of steps


@dataclass(frozen=True, slots=True)
class Place:
    """This worker among `workers`, and how its model is wrapped to share gradients with theirs."""

    rank: int = 0
    workers: int = 1
    wrap: Callable[[nn.Module], nn.Module] = lambda model: model


ALONE = Place()


def train_model(
    *,
    config: ModelConfig,
    recipe: Recipe,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    output: Path,
    report: Callable[[Progress], None],
    start: Path | None = None,
    resume: bool = False,
    place: Place = ALONE,
) -> float:
    """Train one model; worker 0 writes the weights of the epoch with the best dev F1 to `output`.

    Dev is recognised, and the checkpoint written, with the running average of the weights, whose balance
    between precision and recall is set on dev, too.

    `start` is a checkpoint to begin from, of the same sizes but perhaps of other labels. With `resume`, a run
    that was broken off goes on after its last whole epoch, and ends as it would have without the break.

    All workers draw the same random order, of which each takes every n-th batch, and all evaluate on dev, so
    that they stop together.

    Returns:
        The dev F1 of what was written, in [0, 1].

    Raises:
        InputError: there is no data, or it has a label that the model lacks.
        ConfigurationError: the encoder or the device is not there, or something does not fit; `output` holds
            the state of another run.
        CheckpointError: training diverged, or `start` does not fit.
    """
    _check(config, recipe, train, dev, workers=place.workers)
    loop = _Loop(config, recipe, train, start, place)
    run = resumption.fingerprint(config, recipe, sentences=len(train))
    done = Standing(epoch=0, step=0, best=-1.0, since=0)
    if resume and (state := resumption.load(output, run=run)) is not None:
        done = state[0]
        loop.resume(state[1], step=done.step)
    while done.epoch < recipe.epochs and done.since < recipe.patience:
        epoch = done.epoch + 1
        loss = loop.run_epoch(epoch, report)
        with loop.averages.in_place():
            scores, weights = loop.balance(dev)
        better = scores.micro.f1 > done.best
        done = Standing(
            epoch, loop.step, best=max(done.best, scores.micro.f1), since=0 if better else done.since + 1
        )
        if place.rank == 0:
            if better:
                checkpoint.save(output, weights, config)
            resumption.save(output, done, loop.state(), run=run)
            report(Progress(epoch, loop.step, loop.steps, loss, dev=scores, best=better))
    if place.rank == 0:
        resumption.discard(output)
    return done.best


def _check(
    config: ModelConfig, recipe: Recipe, train: Sequence[Sentence], dev: Sequence[Sentence], *, workers: int
) -> None:
    """Refuse what could not be trained, before anything is loaded."""
    if (recipe.loss == "e-ner") != (config.uncertainty == "evidential"):
        raise ConfigurationError(
            "the loss does not train this kind of uncertainty",
            expected="e-ner with evidential, cross-entropy with the others",
            got=f"{recipe.loss} with {config.uncertainty}",
        )
    if (recipe.bottleneck > 0) != config.bottleneck:
        raise ConfigurationError(
            "the recipe prices a bottleneck that the model lacks, or gives none to the model's",
            expected="both or neither",
            got=f"a price of {recipe.bottleneck:g}",
        )
    least = workers * recipe.batch_size if workers > 1 else 1
    if len(train) < least:
        raise InputError(
            "too few sentences to train on",
            expected=f"at least {least}, one batch for each of {workers} workers" if workers > 1 else "any",
            got=str(len(train)),
        )
    check_labels(dev, labels=config.labels, path="the dev data")


class _Loop:
    """A model, its data and its optimiser, epoch by epoch."""

    def __init__(
        self,
        config: ModelConfig,
        recipe: Recipe,
        train: Sequence[Sentence],
        start: Path | None,
        place: Place,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._config, self._recipe, self._train, self._place = config, recipe, train, place
        self._augmentation = Augmentation(train, recipe)
        self._device = resolve_device(recipe.device)
        self._half = computes_in_bfloat16(self._device) if recipe.half is None else recipe.half
        self._vectoriser = checkpoint.vectoriser(config)
        self.model = checkpoint.build(config)
        if start is not None:
            checkpoint.adopt(self.model, config, start)
        self.model.to(self._device)
        self._wrapped = place.wrap(self.model)
        self._parameters = [value for value in self.model.parameters() if value.requires_grad]
        self.averages = MovingAverage(self._parameters, decay=recipe.averaging)
        self.step = 0
        self.steps = recipe.epochs * len(self._batches(epoch=0))
        self._optimiser = _optimiser(self.model, recipe)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: _rate(step / self.steps, recipe.warmup)
        )

    def run_epoch(self, epoch: int, report: Callable[[Progress], None]) -> float:
        """One pass over the training data; the mean loss."""
        self.model.train()
        progress = min(1.0, (epoch - 1) / self._recipe.penalty_epochs)
        weight = annealed(self._recipe.penalty, progress=progress)
        total = 0.0
        mine = self._batches(epoch)
        # Every worker draws the same batches, but not the same dropout.
        torch.manual_seed((self._recipe.seed * 1_009 + epoch) * 1_009 + self._place.rank)
        for count, items in enumerate(mine, start=1):
            total += self._learn(items, Balance(divergence=weight, uncertainty=weight))
            self.step += 1
            if self._place.rank == 0 and count % _REPORT_EVERY == 0:
                report(Progress(epoch, self.step, self.steps, total / count))
        return total / len(mine)

    def balance(self, dev: Sequence[Sentence]) -> tuple[Scores, dict[str, Tensor]]:
        """The scores on dev with precision and recall in balance, and a copy of those weights."""
        recogniser = Recogniser(
            self.model, self._config, self._vectoriser, device=str(self._device), half=self._half
        )
        return balanced(recogniser, checkpoint.trained_state(self.model), dev)

    def state(self) -> dict[str, Tensor]:
        """All that the next epoch depends on, but for the number of steps."""
        moments = self._optimiser.state
        return {
            f"{kind}.{name}": value.detach()
            for (name, parameter), average in zip(self._named(), self.averages.averages, strict=True)
            for kind, value in (
                ("weight", parameter),
                ("average", average),
                *((kind, moments[parameter][kind]) for kind in _MOMENTS),
            )
        }

    def resume(self, state: Mapping[str, Tensor], *, step: int) -> None:
        """Go on from what `state` gave after `step` steps."""
        named = self._named()
        with torch.no_grad():
            for name, parameter in named:
                parameter.copy_(state[f"weight.{name}"])
                moments = {kind: state[f"{kind}.{name}"].to(self._device) for kind in _MOMENTS}
                self._optimiser.state[parameter] = {"step": torch.tensor(float(step)), **moments}
        self.averages.resume([state[f"average.{name}"] for name, _ in named], steps=step)
        self.step = step
        self._schedule.last_epoch = step
        for group, rate in zip(self._optimiser.param_groups, self._schedule.base_lrs, strict=True):
            group["lr"] = rate * _rate(step / self.steps, self._recipe.warmup)

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, value) for name, value in self.model.named_parameters() if value.requires_grad]

    def _batches(self, epoch: int) -> list[list[Example]]:
        """This worker's batches of one epoch; every worker has equally many."""
        rng = random.Random(f"{self._recipe.seed} {epoch}")
        items = examples(
            [self._augmentation.vary(sentence, rng) for sentence in self._train],
            self._vectoriser,
            labels=self._config.labels,
            max_span_length=self._config.max_span_length,
        )
        made = batches(items, size=self._recipe.batch_size, rng=rng)
        even = max(len(made) // self._place.workers, 1)
        return made[self._place.rank :: self._place.workers][:even]

    def _learn(self, items: list[Example], balance: Balance) -> float:
        batch, targets, mask = tensors(items, self._vectoriser, max_span_length=self._config.max_span_length)
        batch = hide(batch, share=self._recipe.mask_share, mask=self._vectoriser.mask)
        logits = self._wrapped(batch.to(self._device), half=self._half)
        mask = mask.to(self._device)
        loss = self._loss(logits[mask], targets.to(self._device)[mask], balance)
        if self.model.head.bottleneck is not None:
            loss = loss + self._recipe.bottleneck * self.model.head.bottleneck.divergence[mask].mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip)
        self._optimiser.step()
        self._schedule.step()
        self.averages.update()
        value = float(loss.detach())
        if value != value:
            raise CheckpointError(
                "training diverged: the loss is not a number", hint="lower the learning rate"
            )
        return value

    def _loss(self, logits: Tensor, targets: Tensor, balance: Balance) -> Tensor:
        if self._recipe.loss == "e-ner":
            return e_ner(logits, targets, activation=self._config.activation, balance=balance)
        return cross_entropy(logits, targets)


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with one learning rate for the encoder and one for the rest."""
    trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    encoder = [value for name, value in trained if name.startswith("encoder.")]
    rest = [value for name, value in trained if not name.startswith("encoder.")]
    return torch.optim.AdamW(
        [{"params": encoder, "lr": recipe.learning_rate}, {"params": rest, "lr": recipe.head_learning_rate}],
        weight_decay=recipe.weight_decay,
    )


def _rate(progress: float, warmup: float) -> float:
    """The share of the learning rate at `progress` in [0, 1] of the run."""
    if progress < warmup:
        return progress / warmup
    return max(0.0, (1.0 - progress) / (1.0 - warmup))
