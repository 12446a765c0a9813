"""Nets of which each has one kind of operation that is known on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula


class Of(nn.Module):
    """A net of parts and of a function that calls them."""

    def __init__(self, call: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.call = call

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        return self.call(self.parts, *inputs, **named)


def first(parts: Any, x: torch.Tensor) -> torch.Tensor:
    return parts[0](x)[0]


def lstm() -> nn.Module:
    return Of(first, nn.LSTM(30, 16, batch_first=True))


def time_first() -> nn.Module:
    return Of(first, nn.LSTM(30, 16))


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(30, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


def scripted() -> nn.Module:
    return torch.jit.script(Scripted())


BOTH: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "batch_first": True}


def both_ways() -> nn.Module:
    return Of(first, nn.LSTM(30, 16, dropout=0.1, **BOTH))


def packed() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> torch.Tensor:
        lengths = [x.shape[1]] * x.shape[0]
        rows = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return parts[0](rows)[0].data

    return Of(call, nn.LSTM(30, 16, **BOTH))


def gru() -> nn.Module:
    return Of(first, nn.GRU(30, 16, **BOTH))


def plain_rnn() -> nn.Module:
    return Of(first, nn.RNN(30, 16, **BOTH))


def projected() -> nn.Module:
    return Of(first, nn.LSTM(30, 16, proj_size=8, batch_first=True))


def cells() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> torch.Tensor:
        state = (x.new_zeros(x.shape[0], 16), x.new_zeros(x.shape[0], 16))
        for at in range(x.shape[1]):
            state = parts[0](x[:, at], state)
        return state[0]

    return Of(call, nn.LSTMCell(30, 16))


class Attention(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(32))
        self.dropout = dropout

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        heads = (x * self.scale).unflatten(-1, (4, 8)).transpose(1, 2)
        if mask is not None:
            mask = mask[:, None]
        return functional.scaled_dot_product_attention(
            heads, heads, heads, mask, self.dropout
        )


def attention() -> nn.Module:
    return Attention(0.0)


def dropped() -> nn.Module:
    return Attention(0.1)


def masked() -> nn.Module:
    return Attention(0.0)


def layers(*, batch_first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def encoder() -> nn.Module:
    return layers(batch_first=True)


def tokens_first() -> nn.Module:
    return layers(batch_first=False)


def frozen_encoder() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> torch.Tensor:
        parts[0].eval()
        with torch.inference_mode():
            features = parts[0](x)
        return parts[1](features.clone())

    return Of(call, encoder(), nn.Linear(32, 4))


def two_inputs() -> nn.Module:
    def call(parts: Any, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return parts[0](x) + parts[1](t)[:, :, None, None]

    return Of(call, nn.Conv2d(3, 4, 3, padding=1), nn.Embedding(10, 4))


def with_loss() -> nn.Module:
    def call(parts: Any, ids: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        logits = parts[1](parts[0](ids))
        loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return {"logits": logits, "past": None, "loss": loss}

    return Of(call, nn.Embedding(50, 8), nn.Linear(8, 50))


def depthwise() -> nn.Module:
    return nn.Conv2d(8, 8, 3, groups=8)


def upward() -> nn.Module:
    return nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2)


def two_heads() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> list[Any]:
        return [parts[0](x), (parts[1](x), {"more": parts[2](x)})]

    return Of(call, *(nn.Linear(16, 8) for _ in range(3)))


def lazy() -> nn.Module:
    return nn.LazyLinear(8)


def two_sequences() -> nn.Module:
    return nn.Transformer(32, 4, 1, 1, 64, batch_first=True)


def bilinear() -> nn.Module:
    return Of(lambda parts, x: parts[0](x, x), nn.Bilinear(16, 16, 4))


def compiled() -> nn.Module:
    return torch.compile(nn.Linear(16, 8))  # type: ignore[return-value]


def spectrum() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(parts[0](x)))

    return Of(call, nn.Linear(64, 64))


class Scaled(nn.Module):
    """A net that is a weight and a function of what it is multiplied with."""

    def __init__(self, call: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x * self.weight)


def distances() -> nn.Module:
    return Scaled(lambda x: torch.cdist(x, x, p=1.0))


def inverse() -> nn.Module:
    return Scaled(lambda x: torch.linalg.inv(x + 9 * torch.eye(8)))


def singular() -> nn.Module:
    return Scaled(torch.linalg.svdvals)


def nothing() -> nn.Module:
    return Scaled(torch.relu)


def in_place() -> nn.Module:
    weight = torch.ones(16, 8)
    return Scaled(lambda x: torch.zeros(len(x), 8).addmm_(x, weight))


def sparse() -> nn.Module:
    places = torch.tensor([[0, 1, 2], [3, 4, 5]])
    matrix = torch.sparse_coo_tensor(places, torch.ones(3), (8, 16))
    return Scaled(lambda x: torch.sparse.mm(matrix, x.T))


@torch.library.custom_op("mine::hidden", mutates_args=())
def hidden(x: torch.Tensor) -> torch.Tensor:
    return x @ x.T


@torch.library.custom_op("mine::known", mutates_args=())
def known(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


@register_flop_formula(torch.ops.mine.known)
def operations_of_known(x: Any, *_: Any, **__: Any) -> int:
    return 1000 * x[0]


hidden.register_autograd(lambda context, gradient: gradient)
known.register_autograd(lambda context, gradient: gradient)


def custom() -> nn.Module:
    return Scaled(hidden)


def formula_given() -> nn.Module:
    return Scaled(known)


def skips() -> nn.Module:
    def call(parts: Any, x: torch.Tensor) -> torch.Tensor:
        for part in parts[1:]:
            if torch.rand(()) < 0.5:
                x = part(x)
        return parts[0](x)

    torch.manual_seed(3)
    return Of(call, *(nn.Linear(16, 16) for _ in range(20)))
