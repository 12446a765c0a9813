"""What the user measured on one machine: the figures of a bench, by name.

Names are those of the bench (``decode.pillow.core``, ``gpu0.matmul.bf16``); what of them
predictions take is chosen where they are made (`advisor.throughput.known`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_OF_GPU = re.compile(r"gpu\d+\.", re.ASCII)


class Figure(NamedTuple):
    """One measured figure, in the unit of its name.

    Attributes
    ----------
    value : the median over the repeats
    log_sd : standard deviation of the logarithm of that, as the repeats differ; 0 where
        there was one
    """

    value: float
    log_sd: float = 0.0


@dataclass(frozen=True, slots=True)
class MeasuredMachine:
    """One machine as it was measured once.

    Attributes
    ----------
    market : which market's machine it is, ``""`` for one of nobody's
    machine_id : that market's id of it, None where nobody says
    gpu : canonical name, as the driver spells it where no table has it; ``""`` for none
    num_gpus : GPUs
    cpu : name of the CPU as the machine reports it, ``""`` where it does not
    cores : hardware threads that were granted, None where nobody counted
    figures : name of a line -> what was measured
    number : of the record; None for one that is not stored
    """

    market: str
    machine_id: int | None
    gpu: str
    num_gpus: int
    cpu: str
    cores: float | None
    figures: Mapping[str, Figure]
    number: int | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What two measurements of one machine have in common.

        Without a market's id those of equal hardware count as one machine: rather one
        machine too few than two draws of one.
        """
        if self.machine_id is not None:
            return (self.market, self.machine_id)
        return ("", self.gpu, self.num_gpus, self.cpu, self.cores)

    def figure(self, name: str) -> Figure | None:
        """Return a figure of the host, None where it was not measured."""
        return self.figures.get(name)

    def slowest(self, name: str) -> Figure | None:
        """Return the least of a figure over the GPUs, for which all others wait.

        Parameters
        ----------
        name : without the GPU, such as ``"matmul.bf16"``
        """
        found = [
            figure
            for line, figure in self.figures.items()
            if _OF_GPU.match(line) and line.partition(".")[2] == name
        ]
        return min(found, key=lambda one: one.value, default=None)


LEAST = 1e-9
"""What no machine's figure is below, in any unit of a bench, unless it is none."""


def usable(value: float) -> bool:
    """Say whether a figure can be compared: it is none of nothing."""
    return LEAST <= value < math.inf
