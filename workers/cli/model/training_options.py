"""The options of `linkner train`, with the paper's values."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linkner.labels import LABEL_SETS
from workers.cli.model.options import Uncertainty


class Loss(StrEnum):
    """Names of the losses."""

    E_NER = "e-ner"
    CROSS_ENTROPY = "cross-entropy"


class Activation(StrEnum):
    """What makes evidence of logits."""

    EXP = "exp"
    SOFTPLUS = "softplus"


_DATA, _MODEL, _TRAINING = "Data", "Model", "Training"
_BASELINES, _RUN = "Baselines of the paper's tables (off by default)", "Run"

Output = Annotated[
    Path,
    typer.Option(help="Folder for the checkpoint; made if it is not there.", rich_help_panel=_DATA),
]
Data = Annotated[
    Path | None, typer.Option(help="Folder with train.conll and dev.conll.", rich_help_panel=_DATA)
]
TrainFile = Annotated[
    Path | None, typer.Option("--train", help="CoNLL file to train on.", rich_help_panel=_DATA)
]
DevFile = Annotated[
    Path | None,
    typer.Option("--dev", help="CoNLL file that chooses the best epoch.", rich_help_panel=_DATA),
]
AddData = Annotated[
    list[Path] | None,
    typer.Option(
        help="CoNLL file to train on as well, with the same labels; may be repeated. Paper: none.",
        rich_help_panel=_DATA,
    ),
]
AddReplies = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="POSTS REPLIES",
        help="Posts (JSON lines with id and text) and an LLM's replies about them (JSON lines with id and "
        "entities in code points) to train on as well; .gz is read, too. Once. Paper: none.",
        rich_help_panel=_DATA,
    ),
]
LabelSet = Annotated[
    str,
    typer.Option(
        help=f"Label set of the data: one of {', '.join(LABEL_SETS)}.",
        rich_help_panel=_DATA,
    ),
]
StartFrom = Annotated[
    Path | None,
    typer.Option(
        help="Checkpoint to begin from, made with the same encoder and sizes; all but its classes where "
        "its labels are others.",
        rich_help_panel=_DATA,
    ),
]

Name = Annotated[
    str | None,
    typer.Option(
        help="Name of the model, recorded with its results. Runs that differ in their seed alone share one. "
        "[default: spanner- and the label set]",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Encoder = Annotated[
    str,
    typer.Option(
        help="Encoder: a Hugging Face id or folder. Paper: bert-base-uncased.", rich_help_panel=_MODEL
    ),
]
LoraRank = Annotated[
    int,
    typer.Option(
        min=1, help="Rank of the adapters in every linear layer. Paper: no adapters.", rich_help_panel=_MODEL
    ),
]
Full = Annotated[
    bool,
    typer.Option(
        "--full",
        help="Train the whole encoder instead of adapters. Paper: so.",
        rich_help_panel=_MODEL,
    ),
]
MaxSpanLength = Annotated[
    int, typer.Option(min=1, max=32, help="Words of a span. Paper: 4.", rich_help_panel=_MODEL)
]
WindowTokens = Annotated[
    int,
    typer.Option(
        min=16,
        help="Tokens that the encoder reads at once; longer posts are read in overlapping windows. "
        "Paper: 128, the rest cut off.",
        rich_help_panel=_MODEL,
    ),
]
Hidden = Annotated[
    int, typer.Option(min=1, help="Width of the span head. Paper: not said.", rich_help_panel=_MODEL)
]
Dropout = Annotated[
    float, typer.Option(min=0, max=0.9, help="Dropout of the head. Paper: 0.2.", rich_help_panel=_MODEL)
]
EncoderDropout = Annotated[
    float, typer.Option(min=0, max=0.9, help="Dropout of the encoder. Paper: 0.15.", rich_help_panel=_MODEL)
]
UncertaintyMethod = Annotated[
    Uncertainty,
    typer.Option(
        help="How uncertainty is estimated. Paper: all but mc-dropout-head, whose passes repeat the head "
        "alone.",
        rich_help_panel=_MODEL,
    ),
]
EvidenceActivation = Annotated[
    Activation,
    typer.Option(
        help="Makes evidence of logits (evidential). Paper: either.",
        rich_help_panel=_MODEL,
    ),
]
Passes = Annotated[
    int,
    typer.Option(min=1, help="Passes of mc-dropout (M). Paper: not said.", rich_help_panel=_MODEL),
]

TrainingLoss = Annotated[
    Loss | None,
    typer.Option(
        help="Training loss. [default: e-ner for evidential, else cross-entropy] Paper: so.",
        rich_help_panel=_TRAINING,
    ),
]
Epochs = Annotated[int, typer.Option(min=1, help="Most epochs. Paper: not said.", rich_help_panel=_TRAINING)]
Patience = Annotated[
    int,
    typer.Option(
        min=1,
        help="Epochs without a better dev F1 after which training ends. Paper: not said.",
        rich_help_panel=_TRAINING,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(min=1, help="Sentences in a batch of a worker. Paper: 10.", rich_help_panel=_TRAINING),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        help="Of adapters or encoder. [default: 0.001; with --full 0.00005] Paper: 0.00001.",
        rich_help_panel=_TRAINING,
    ),
]
HeadLearningRate = Annotated[
    float, typer.Option(help="Of all other weights. Paper: 0.00001.", rich_help_panel=_TRAINING)
]
WeightDecay = Annotated[
    float, typer.Option(min=0, help="Of AdamW. Paper: not said.", rich_help_panel=_TRAINING)
]
Warmup = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.99,
        help="Share of the steps in which the learning rate rises. Paper: not said.",
        rich_help_panel=_TRAINING,
    ),
]
Clip = Annotated[
    float, typer.Option(help="Largest norm of the gradient. Paper: not said.", rich_help_panel=_TRAINING)
]
Averaging = Annotated[
    float,
    typer.Option(
        help="Decay of the running average of the weights; 0: none. Paper: none.", rich_help_panel=_TRAINING
    ),
]
MaskShare = Annotated[
    float,
    typer.Option(help="Share of wordpieces hidden in training. Paper: none.", rich_help_panel=_TRAINING),
]
PostShare = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of the sentences whose words are cut as those of raw posts are. Paper: none.",
        rich_help_panel=_TRAINING,
    ),
]
Penalty = Annotated[
    float,
    typer.Option(
        help="λ of the E-NER loss in the first epoch; it grows. Paper: 0.01.", rich_help_panel=_TRAINING
    ),
]
PenaltyEpochs = Annotated[
    int,
    typer.Option(min=1, help="Epochs until λ is 1. Paper: not said.", rich_help_panel=_TRAINING),
]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and dropout.", rich_help_panel=_TRAINING)]

EntityReplacement = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="DataAug: share of the entities replaced, anew in each epoch, by others of the same type.",
        rich_help_panel=_BASELINES,
    ),
]
Typos = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of the entities that get a typo, anew in each epoch.",
        rich_help_panel=_BASELINES,
    ),
]
Bottleneck = Annotated[
    float,
    typer.Option(
        min=0,
        help="VaniIB: price β of a variational information bottleneck on the spans' vectors, such as 0.0001.",
        rich_help_panel=_BASELINES,
    ),
]

Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        help="Training processes: with a GPU each, or sharing the CPUs. Paper: 1.",
        rich_help_panel=_RUN,
    ),
]
Half = Annotated[
    bool | None,
    typer.Option(
        "--bf16/--fp32",
        help="The encoder computes in bfloat16 or in fp32. [default: bf16 where the device is made for it]",
        show_default=False,
        rich_help_panel=_RUN,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the run that was broken off in the output folder, after its last whole epoch; it is "
        "an error where there is none.",
        rich_help_panel=_RUN,
    ),
]
