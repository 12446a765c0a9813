"""Train a small GPT-2 on a text with the Hugging Face Trainer."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from made_data import CHARACTERS_PER_TOKEN, VOCABULARY, Tokenizer, make_text
from torch import Tensor
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

LENGTH = 128
CHARACTERS = LENGTH * CHARACTERS_PER_TOKEN


class TextPieces(Dataset):
    """Pieces of a text, made tokens when they are asked for."""

    def __init__(self, text: bytes, delay_ms: float) -> None:
        self.text = text
        self.tokenizer = Tokenizer(text)
        self.delay_ms = delay_ms

    def __len__(self) -> int:
        return len(self.text) // CHARACTERS

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)
        piece = self.text[index * CHARACTERS : (index + 1) * CHARACTERS]
        tokens = torch.tensor(self.tokenizer.encode(piece, LENGTH))
        return {"input_ids": tokens, "labels": tokens.clone()}


def small_gpt2() -> GPT2LMHeadModel:
    """Return four layers, 192 wide."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=LENGTH,
            n_embd=192,
            n_layer=4,
            n_head=6,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("example-data/text.txt"))
    parser.add_argument("--pieces", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--accumulate", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    args = parser.parse_args()
    text = make_text(args.data, args.pieces * CHARACTERS)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            gradient_accumulation_steps=args.accumulate,
            dataloader_num_workers=args.workers,
            learning_rate=3e-4,
            logging_steps=10,
            save_strategy="no",
            report_to=[],
        )
        dataset = TextPieces(text, args.delay_ms)
        Trainer(model=small_gpt2(), args=settings, train_dataset=dataset).train()


if __name__ == "__main__":
    main()
