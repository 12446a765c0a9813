"""How long a simulated instance takes to start, and whether it does.

Image sizes and times are assumptions, in the range that the images' registry pages
show; the bandwidth is the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.base.units import MBIT_PER_GB
from advisor.simulator.box import Box
from advisor.simulator.generate import Draws
from advisor.simulator.habits import Habits

IMAGE_GB = {
    "nvidia/cuda": 2.5,
    "pytorch/pytorch": 3.5,
    "tensorflow/tensorflow": 3.3,
    "vastai/": 5.0,
    "python": 0.4,
    "ubuntu": 0.03,
    "debian": 0.05,
    "alpine": 0.004,
}
"""Compressed size by the start of an image's name, GB; assumed."""

OTHER_IMAGE_GB = 2.0
PROVISION_S = (4.0, 12.0)
"""Seconds without a status, least and most."""

CREATED_S = 3.0
UNPACK_GB_PER_S = 0.15
RESTART_S = 8.0
"""Seconds from a stopped container to a running one."""

_USUAL_UNRELIABILITY = 0.01
_MOST_LIKELIER = 20.0


@dataclass(frozen=True, slots=True)
class Boot:
    """How a first boot goes.

    Attributes
    ----------
    provision_s : until it is created
    image_gb, pull_s : what is fetched, and how long that and the unpacking take
    outcome : running, exited, offline, or ``""`` for one that loads for ever
    """

    provision_s: float
    image_gb: float
    pull_s: float
    outcome: str


def draw_boot(image: str, box: Box, habits: Habits, draws: Draws) -> Boot:
    """Return how a first boot on a machine goes; unreliable ones fail more often."""
    size_gb = image_gb(image)
    mbit_s = max(box.machine.inet_down_mbit_s * box.network, 0.01)
    unreliability = (1 - box.machine.reliability) / _USUAL_UNRELIABILITY
    likelier = min(unreliability, _MOST_LIKELIER)
    chances = {
        "": habits.stuck * likelier,
        "exited": habits.exits * likelier,
        "offline": habits.goes_offline * likelier,
    }
    chances["running"] = max(1 - sum(chances.values()), 0.0)
    low, high = PROVISION_S
    return Boot(
        provision_s=low + (high - low) * draws.uniform(),
        image_gb=size_gb,
        pull_s=size_gb * (MBIT_PER_GB / mbit_s + 1 / UNPACK_GB_PER_S),
        outcome=draws.pick(chances),
    )


def image_gb(image: str) -> float:
    """Return the assumed size of an image, GB compressed."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    for start, size_gb in IMAGE_GB.items():
        if name.startswith(start):
            return size_gb
    return OTHER_IMAGE_GB
