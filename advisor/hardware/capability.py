"""Which cards compiled GPU code runs on: CUDA's compute capabilities.

Code is compiled for one capability and runs on cards of the same major number and the
same or a higher minor one; code stored as PTX is compiled on the card and runs on every
later one (NVIDIA, "CUDA C++ Programming Guide", binary and PTX compatibility). What is
specific to an architecture (``12.0a``) runs on that capability alone; what is specific to
a family (``12.0f``) where plain code of that capability does. The PTX of neither runs on
cards that its binary does not run on (the same, "Family-specific features").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.errors import UsageError

_PTX = "ptx"
_CAPABILITY = re.compile(r"(\d{1,2})\.(\d)([af]?)")
_LISTED = "such as '7.5;8.0;9.0' or '8.6 9.0+PTX'"


@dataclass(frozen=True, slots=True)
class Architectures:
    """The compute capabilities that a build has code for.

    Attributes
    ----------
    compiled : capabilities times ten, rising, such as ``(75, 80, 120)``
    ptx : capability times ten of the code that is stored as PTX; None: there is none
    exact : capabilities times ten of code that runs on no other one, rising

    Examples
    --------
    >>> built = Architectures.parse("7.5;8.6;9.0+PTX")
    >>> built.run_on(np.array([8.0, 8.9, 12.0])).tolist()
    [False, True, True]
    """

    compiled: tuple[int, ...]
    ptx: int | None = None
    exact: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str, origin: str = "") -> Self:
        """Read a list as PyTorch writes it in ``TORCH_CUDA_ARCH_LIST``.

        ``+PTX`` behind a capability, or the word PTX behind the last one, says that its
        code is stored as PTX too; of one with the letter a or f that adds no card.

        Parameters
        ----------
        text : capabilities, apart by semicolons, commas or spaces
        origin : what messages call the place where it stands

        Raises
        ------
        advisor.base.errors.UsageError
            if it is no such list
        """
        compiled, exact = set[int](), set[int]()
        ptx: int | None = None
        words = [word for word in re.split(r"[;,\s]+", text.strip().lower()) if word]
        last, specific = 0, ""
        for word in words:
            number, plus, suffix = word.partition("+")
            if word == _PTX and last:
                ptx = ptx if specific else last
                continue
            match = _CAPABILITY.fullmatch(number)
            if match is None or (plus and suffix != _PTX):
                place = f"{origin}: " if origin else ""
                message = f"{place}{text!r} is no list of compute capabilities, {_LISTED}"
                raise UsageError(message)
            last, specific = 10 * int(match[1]) + int(match[2]), match[3]
            (exact if specific == "a" else compiled).add(last)
            ptx = last if plus and not specific else ptx
        if not (compiled or exact):
            place = f"{origin}: " if origin else ""
            message = f"{place}a list of compute capabilities is expected, {_LISTED}"
            raise UsageError(message)
        return cls(tuple(sorted(compiled)), ptx, tuple(sorted(exact)))

    def run_on(self, capability: FloatArray) -> BoolArray:
        """Return whether cards of these capabilities run the code, shape (N,).

        Of an unknown capability (NaN) nothing is known: False.
        """
        runs = self.compiled_for(capability)
        if self.ptx is not None:
            known, tenths = _tenths(capability)
            runs |= known & (tenths >= self.ptx)
        return runs

    def compiled_for(self, capability: FloatArray) -> BoolArray:
        """Return whether they run it as it is, compiled, shape (N,)."""
        known, tenths = _tenths(capability)
        runs = np.isin(tenths, self.exact)
        for built in self.compiled:
            runs |= (tenths // 10 == built // 10) & (tenths % 10 >= built % 10)
        return runs & known

    def __str__(self) -> str:
        plain = [
            (tenths, "+PTX" if tenths == self.ptx else "") for tenths in self.compiled
        ]
        words = sorted([*plain, *((tenths, "a") for tenths in self.exact)])
        return ";".join(f"{one // 10}.{one % 10}{suffix}" for one, suffix in words)


def _tenths(capability: FloatArray) -> tuple[BoolArray, IntArray]:
    """Return which capabilities are known, and ten times each."""
    known = np.isfinite(capability)
    tenths: IntArray = np.rint(np.where(known, capability, 0.0) * 10.0).astype(np.int64)
    return known, tenths
