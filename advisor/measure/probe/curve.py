"""How the rate of workers grows with their number.

The model is the one of advisor's predictions: ``rate(n) = min(core * n ** exponent,
ceiling)``, where `core` is what one worker does per second of its CPU time and `ceiling`
what the one process can take that gets all batches.
"""

from __future__ import annotations

import math


def exponent_of(per_core: dict[int, float]) -> float | None:
    """Return the exponent, by least squares through the rate of one worker.

    Parameters
    ----------
    per_core : number of workers -> samples per second of CPU time of each of them

    Returns
    -------
    None without a second number of workers. It is 1 where workers do not get into each
    other's way, less where they share cores, caches and memory.
    """
    if 1 not in per_core:
        return None
    pairs = [
        (math.log(count), math.log(count * rate / per_core[1]))
        for count, rate in per_core.items()
        if count > 1
    ]
    if not pairs:
        return None
    return sum(x * y for x, y in pairs) / sum(x * x for x, _ in pairs)


def counts_up_to(most: int) -> list[int]:
    """Return 1, 2, 4 ... and `most`."""
    counts = [1]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    return counts if counts[-1] >= most else [*counts, most]
