"""What a module is called with, as the user says it: one shape an input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from advisor.base.errors import Given, UsageError

_ITEM_BYTES = {"float": 4, "long": 8, "bool": 1}
_BATCH = "B"
_SCALAR = "scalar"
_MOST_DIMENSIONS = 8
_EXPECTED = (
    "a shape such as 3x224x224, 512:long or scalar:long is expected, NAME=SHAPE for a "
    "keyword, B where the batch is not the first dimension (512xBx256)"
)

Kind = Literal["float", "long", "bool"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a module.

    Attributes
    ----------
    shape : of one sample, such as ``(3, 224, 224)``; empty for one number per sample
    kind : ``"float"`` (random), ``"long"`` (zeros: a token or class that always is) or
        ``"bool"`` (true)
    name : keyword that it is given by; empty: by its place
    batch_at : place of the batch among the dimensions
    """

    shape: tuple[int, ...]
    kind: Kind = "float"
    name: str = ""
    batch_at: int = 0

    @classmethod
    def parse(cls, text: str) -> Input:
        """Read ``[NAME=]SHAPE[:KIND]``.

        Raises
        ------
        advisor.base.errors.UsageError
            if it is none
        """
        wrong = UsageError(Given("shapes"), f": {text!r}: {_EXPECTED}")
        name, equals, rest = text.rpartition("=")
        sizes, colon, kind = rest.partition(":")
        if (equals and not name.isidentifier()) or (kind or "float") not in _ITEM_BYTES:
            raise wrong
        if colon and not kind:
            raise wrong
        parts = [] if sizes == _SCALAR else sizes.split("x")
        if parts.count(_BATCH) > 1 or len(parts) > _MOST_DIMENSIONS:
            raise wrong
        batch_at = parts.index(_BATCH) if _BATCH in parts else 0
        try:
            shape = tuple(int(size) for size in parts if size != _BATCH)
        except ValueError:
            raise wrong from None
        if any(size < 1 for size in shape):
            raise wrong
        return cls(shape, kind or "float", name, batch_at)  # type: ignore[arg-type]

    @property
    def bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * _ITEM_BYTES[self.kind]

    def tensor(self, torch: Any, number: int) -> Any:
        """Return a batch of `number` samples."""
        shape = [*self.shape]
        shape.insert(self.batch_at, number)
        if self.kind == "float":
            return torch.randn(shape)
        if self.kind == "bool":
            return torch.ones(shape, dtype=torch.bool)
        return torch.zeros(shape, dtype=torch.long)


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a module is called with, in order."""

    each: tuple[Input, ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Inputs:
        """Read one text an input.

        Raises
        ------
        advisor.base.errors.UsageError
            if one is none, or a keyword is given twice
        """
        each = tuple(map(Input.parse, texts))
        names = [one.name for one in each if one.name]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(Given("shapes"), f": {name} is given twice")
        return cls(each)

    @property
    def bytes(self) -> int:
        """Bytes of one sample."""
        return sum(one.bytes for one in self.each)

    @property
    def image(self) -> tuple[int, int] | None:
        """Height and width, if pictures of three channels are all that goes in."""
        if len(self.each) != 1 or self.each[0].kind != "float":
            return None
        shape = self.each[0].shape
        return shape[1:] if len(shape) == 3 and shape[0] == 3 else None

    @property
    def tokens(self) -> int | None:
        """Tokens of a sample, if only whole numbers and masks go in."""
        if any(one.kind == "float" for one in self.each):
            return None
        lengths = [one.shape[0] for one in self.each if one.kind == "long" and one.shape]
        return max(lengths, default=None)

    def call(self, torch: Any, module: Any, number: int) -> Any:
        """Return what a module makes of `number` samples."""
        by_place = [one.tensor(torch, number) for one in self.each if not one.name]
        by_name = {one.name: one.tensor(torch, number) for one in self.each if one.name}
        return module(*by_place, **by_name)
