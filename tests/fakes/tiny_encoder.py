"""A tiny random BERT with a character vocabulary, made on the spot: fast to build and to run."""

from __future__ import annotations

import json
import string
from pathlib import Path


def write_tiny_encoder(folder: Path) -> Path:
    """A model folder: 2 layers, 16 wide, 512 positions; every word is read letter by letter."""
    import torch
    from transformers import BertConfig, BertModel

    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation, "é"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512})
    )
    return folder
