"""What an image demands of the driver: the text of its ``NVIDIA_REQUIRE_CUDA``.

The container runtime starts no container whose demand the driver does not meet. The text
is a list of alternatives apart by spaces, each a list of conditions apart by commas, such
as ``cuda>=12.4 brand=tesla,driver>=535,driver<536`` (NVIDIA Container Toolkit,
"Specialized configurations").
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from advisor.software.tables import driver_number, read_version

_CONDITION = re.compile(r"(cuda|driver|brand|arch)(>=|<=|!=|=|<|>)([\w.]+)")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}
_CONSUMER = frozenset({"geforce", "geforcertx", "titan", "titanrtx"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """Alternatives of conditions on the driver; one of them must hold whole.

    Attributes
    ----------
    alternatives : each a tuple of (what, comparison, value)

    Examples
    --------
    >>> demand = Requirement.parse("cuda>=12.8 brand=tesla,driver>=535,driver<536")
    >>> demand.met_by(cuda=12.2, driver=535.183, consumer=False)
    True
    >>> demand.met_by(cuda=12.2, driver=535.183, consumer=True)
    False
    """

    alternatives: tuple[tuple[tuple[str, str, str], ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text; what is no condition of a known kind never holds."""
        found = []
        for alternative in text.strip().strip("\"'").lower().split():
            matches = [_CONDITION.fullmatch(one) for one in alternative.split(",")]
            if all(matches):
                found.append(tuple((m[1], m[2], m[3]) for m in matches if m))
        return cls(tuple(found))

    @classmethod
    def of_cuda(cls, version: tuple[int, int]) -> Self:
        """Return the demand of a driver that runs a CUDA version by itself.

        Images demand less: they name older drivers too (`tables.cuda_demands`).
        """
        return cls(((("cuda", ">=", f"{version[0]}.{version[1]}"),),))

    def met_by(self, *, cuda: float, driver: float, consumer: bool) -> bool:
        """Say whether a machine meets the demand.

        Parameters
        ----------
        cuda : newest CUDA version that the driver runs, such as 12.8
        driver : see `driver_number`
        consumer : whether the card is a GeForce or a Titan. NVIDIA's images up to CUDA
            12.4 let in some older drivers of any brand, later ones of other brands alone
        """
        if not self.alternatives:
            return True
        return any(
            all(_holds(*one, cuda, driver, consumer=consumer) for one in alternative)
            for alternative in self.alternatives
        )

    def __str__(self) -> str:
        return " ".join(
            ",".join("".join(one) for one in alternative)
            for alternative in self.alternatives
        )


def _holds(
    what: str, how: str, value: str, cuda: float, driver: float, *, consumer: bool
) -> bool:
    if what == "brand":
        return how == "=" and (value in _CONSUMER) == consumer
    if what == "arch":
        return False
    version = read_version(f"{value}.0")
    if version is None:
        return False
    if what == "cuda":
        return _COMPARE[how](cuda, version[0] + version[1] / 10.0)
    return _COMPARE[how](driver, driver_number(value))
