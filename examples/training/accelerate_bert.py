"""Train a small BERT classifier with Accelerate, gradients accumulated over 4 batches."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from made_data import (
    CHARACTERS_PER_TOKEN,
    CLASSES,
    VOCABULARY,
    Tokenizer,
    make_text,
)
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    get_linear_schedule_with_warmup,
)

LENGTH = 96
CHARACTERS = LENGTH * CHARACTERS_PER_TOKEN


class Sentences(Dataset):
    """Pieces of a text, the most frequent token of each its class."""

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
        label = torch.bincount(tokens).argmax() % CLASSES
        mask = torch.ones_like(tokens)
        return {"input_ids": tokens, "attention_mask": mask, "labels": label}


def small_bert() -> BertForSequenceClassification:
    """Return four layers, 192 wide."""
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=192,
            num_hidden_layers=4,
            num_attention_heads=6,
            intermediate_size=768,
            max_position_embeddings=LENGTH,
            num_labels=CLASSES,
        )
    )


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("example-data/sentences.txt"))
    parser.add_argument("--sentences", type=int, default=960)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=6)
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    args = parser.parse_args()
    accelerator = Accelerator(gradient_accumulation_steps=args.accumulate)
    text = make_text(args.data, args.sentences * CHARACTERS)
    loader = DataLoader(
        Sentences(text, args.delay_ms),
        batch_size=args.batch_size,
        shuffle=True,
        num_workers=args.workers,
    )
    model = small_bert()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    steps = args.epochs * len(loader)
    schedule = get_linear_schedule_with_warmup(optimizer, 10, steps)
    model, optimizer, loader, schedule = accelerator.prepare(
        model, optimizer, loader, schedule
    )
    model.train()
    for epoch in range(args.epochs):
        for step, batch in enumerate(loader):
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            if step % 20 == 0:
                accelerator.print(f"epoch {epoch} batch {step}: loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
