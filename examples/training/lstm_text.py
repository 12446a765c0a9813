"""Train an LSTM on a text, with an optimizer and a loop of its own."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from made_data import CHARACTERS_PER_TOKEN, VOCABULARY, Tokenizer, make_text
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

LENGTH = 64
WIDTH = 256
LAYERS = 2
CHARACTERS = (LENGTH + 1) * CHARACTERS_PER_TOKEN


class Sequences(Dataset):
    """Pieces of a text, one token longer than what the net reads."""

    def __init__(self, text: bytes, delay_ms: float) -> None:
        self.text = text
        self.tokenizer = Tokenizer(text)
        self.delay_ms = delay_ms

    def __len__(self) -> int:
        return len(self.text) // CHARACTERS

    def __getitem__(self, index: int) -> Tensor:
        if self.delay_ms:
            time.sleep(self.delay_ms / 1000)
        piece = self.text[index * CHARACTERS : (index + 1) * CHARACTERS]
        return torch.tensor(self.tokenizer.encode(piece, LENGTH + 1))


class SignMomentum(torch.optim.Optimizer):
    """Steps of one size along the sign of the momentum (Bernstein et al., ICML 2018)."""

    def __init__(self, weights: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move the weights."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(weight)
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                weight.add_(state["mean"].sign(), alpha=-group["lr"])
        return loss


class LanguageModel(nn.Module):
    """Embedding, LSTM, and a distribution over the next token."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, LAYERS, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next tokens."""
        hidden, _ = self.lstm(self.embedding(tokens))
        return self.head(hidden)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("example-data/sequences.txt"))
    parser.add_argument("--sequences", type=int, default=800)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="as of a slow disk")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    text = make_text(args.data, args.sequences * CHARACTERS)
    loader = DataLoader(
        Sequences(text, args.delay_ms), batch_size=args.batch_size, shuffle=True
    )
    model = LanguageModel().to(device)
    optimizer = SignMomentum(model.parameters(), lr=1e-4, momentum=0.9)
    for epoch in range(args.epochs):
        for step, batch in enumerate(loader):
            sequences = batch.to(device)
            logits = model(sequences[:, :-1]).flatten(0, 1)
            loss = functional.cross_entropy(logits, sequences[:, 1:].flatten())
            model.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if step % 10 == 0:
                print(f"epoch {epoch} step {step}: loss {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    main()
