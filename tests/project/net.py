"""A small project of a user's: two nets, and functions that go wrong."""

from __future__ import annotations

import torch
from torch import nn


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 32)
        self.output = nn.Linear(32, 100)

    def forward(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"tokens": tokens, "logits": self.output(self.embedding(tokens))}


def tokens() -> nn.Module:
    return Tokens()


def no_module() -> int:
    return 3


def fails() -> nn.Module:
    message = "out of luck"
    raise ValueError(message)
