"""What a batch is: its tensors, however deep, their bytes, and how many rows it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Iterator, NamedTuple

from .observation import Tensor

_DEEPEST = 6
_MOST = 2000
"""Parts of a batch that are looked at."""
_SHOWN = 20
"""Tensors that are told of one by one."""


class Batch(NamedTuple):
    """What a batch holds.

    Attributes
    ----------
    rows : first dimension that most of its tensors have; None: no tensor has any
    bytes : of its tensors
    tensors : name and tensor, the first of them
    """

    rows: int | None
    bytes: float
    tensors: list[tuple[str, Any]]

    def described(self) -> list[Tensor]:
        """Return its tensors as names, shapes and dtypes."""
        return [
            Tensor(name, [int(size) for size in one.shape], dtype_name(one.dtype))
            for name, one in self.tensors[:_SHOWN]
        ]

    @property
    def padding_share(self) -> float | None:
        """Share of its attention mask that is zero; None: it has no such mask."""
        for name, one in self.tensors:
            if name.rpartition(".")[2] == "attention_mask" and len(one.shape) == 2:
                if getattr(one, "is_cuda", False):  # would wait for the GPU
                    return None
                places = max(int(one.shape[0]) * int(one.shape[1]), 1)
                return 1.0 - float((one != 0).sum()) / places
        return None


def batch_of(data: Any) -> Batch:
    """Return what a batch holds.

    Parameters
    ----------
    data : as a DataLoader gives it, or the arguments of a call
    """
    tensors = list(_tensors(data, "", 0, [_MOST]))
    sizes = Counter(int(one.shape[0]) for _, one in tensors if len(one.shape))
    return Batch(
        rows=sizes.most_common(1)[0][0] if sizes else None,
        bytes=float(sum(_bytes(one) for _, one in tensors)),
        tensors=tensors,
    )


def dtype_name(dtype: Any) -> str:
    """Return a dtype's short name, such as ``float32``."""
    return str(dtype).rpartition(".")[2]


def _bytes(one: Any) -> int:
    """Return the bytes of a tensor or an array."""
    nbytes = getattr(one, "nbytes", None)
    return int(nbytes) if nbytes is not None else one.numel() * one.element_size()


def _tensors(data: Any, name: str, depth: int, left: list[int]) -> Iterator[Any]:
    """Yield the tensors and arrays of some data with their names."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST or data is None:
        return
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        yield name or "0", data
        return
    for key, part in _parts(data):
        yield from _tensors(part, f"{name}.{key}" if name else str(key), depth + 1, left)


def _parts(data: Any) -> Any:
    """Return keys and parts of what holds others; nothing of what does not."""
    if isinstance(data, (str, bytes, int, float)):
        return ()
    if isinstance(data, Mapping):
        return data.items()
    if isinstance(data, (list, tuple)):
        return enumerate(data)
    if is_dataclass(data) and not isinstance(data, type):
        return ((one.name, getattr(data, one.name, None)) for one in fields(data))
    to_dict = getattr(data, "to_dict", None)  # graphs of PyTorch Geometric
    if callable(to_dict):
        return _as_items(to_dict)
    return getattr(data, "__dict__", {}).items()


def _as_items(to_dict: Any) -> Any:
    """Return what a method gives as a mapping; nothing where it fails."""
    try:
        return to_dict().items()
    except Exception:  # a stranger's method; the program goes on
        return ()
