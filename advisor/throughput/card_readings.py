"""What was measured of machines' cards beside what is expected of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from advisor.hardware.boards import FULL, HALF, LAPTOP, NONE, kinds_of
from advisor.hardware.card_state import OTHER_BANDWIDTH, USUAL_BANDWIDTH
from advisor.hardware.gpus import Gpu, GpuTable, matmul_measurements
from advisor.hardware.measured import MeasuredMachine, usable
from advisor.hardware.power import SPREAD, power_factor
from advisor.throughput.effects import Effect
from advisor.throughput.readings import (
    ANOTHER_DAY_LOG_SD,
    Compared,
    Learned,
    learned_of,
)

MATMUL_MACHINE_LOG_SD = 0.03
"""Scale of how one card's matrix rate differs between machines: 1.48 times the median
absolute deviation of FP16 rates of cards that ``models/sources/gpu_matmul.csv`` has
several times is 0.023 (0.028 with laptops); their standard deviation, tails and all, is
0.05."""

BANDWIDTH_MACHINE_LOG_SD = 0.02
"""The same of bandwidth: the tenth to ninetieth percentiles of offers lie within 3 % of
the median (`advisor.hardware.card_state.USUAL_BANDWIDTH`)."""

BOARD_LOG_SD: Mapping[str, float] = {
    HALF: 0.05,
    f"Pascal, {NONE}": 0.05,
    FULL: 0.17,
    LAPTOP: 0.22,
}
"""How far a card that nobody published may be from the usual share of its kind of board:
``level_log_sd`` of ``advisor/measure/data/components.csv`` (a test holds them equal)."""

_OTHER_BOARD_LOG_SD = 0.2
"""The same of other kinds, of which too few were measured (assumption)."""

MOST_BY_FEW = 0.1
"""What fewer than three machines that agree move a card's matrix rate by at most,
logarithm (assumption). The table of cards is what others are judged by: one at half speed
must not make the next one at half speed usual."""

_MATMUL_LINE_LOG_SD = 0.05  # another shape than the published: 2 to 8 % between sources
_BANDWIDTH_LINE_LOG_SD = 0.10  # a copy of ours against the market's (assumption)
_BANDWIDTH_CARD_LOG_SD = 0.05  # 0.809 to 0.870 of nominal on the four cards known

_MATMUL_LINES = ("matmul.fp16", "matmul.bf16")
"""The first that was measured counts: both are of the same units, and the shares of the
table are of FP16."""


def matmuls(machines: Sequence[MeasuredMachine], gpus: GpuTable) -> Learned:
    """Return what matrix rates say of cards, over what is known of them.

    A power limit below the card's own is none of the card's: at its own limit it is
    compared with what that leaves, which is the machine's.
    """
    compared, kinds = list[Compared](), dict[str, float]()
    limited = dict[tuple[object, ...], float]()
    for machine, card in _with_cards(machines, gpus):
        for line in _MATMUL_LINES:
            figure = machine.slowest(line)
            expected = card.fp16_tflops * card.matmul_share
            if figure is None or not (usable(figure.value) and usable(expected)):
                continue
            left = _left_by_limit(machine, card)
            over = math.log(figure.value / expected) - left
            day_log_sd = math.hypot(ANOTHER_DAY_LOG_SD, SPREAD * left)
            compared.append(
                Compared(machine, card.name, "matmul", over, figure, day_log_sd)
            )
            kinds[card.name] = _card_log_sd(card)
            limited[machine.identity] = left
            break
    found = learned_of(
        compared,
        kinds,
        MATMUL_MACHINE_LOG_SD,
        _MATMUL_LINE_LOG_SD,
        {"matmul": 0.0},
        most_by_few=MOST_BY_FEW,
    )
    return found._replace(
        of_machine=_moved(found.of_machine, limited), own=_moved(found.own, limited)
    )


def _card_log_sd(card: Gpu) -> float:
    """Return how well a card's matrix rate is known before machines tell of it."""
    count = matmul_measurements().get(card.name, 0)
    if count:
        return MATMUL_MACHINE_LOG_SD / math.sqrt(count)
    known = (BOARD_LOG_SD[kind] for kind in kinds_of(card) if kind in BOARD_LOG_SD)
    return next(known, _OTHER_BOARD_LOG_SD)


def _left_by_limit(machine: MeasuredMachine, card: Gpu) -> float:
    """Return ln of what the tightest power limit of a machine's GPUs leaves of a rate."""
    figure = machine.slowest("power.limit")
    limit_w = math.nan if figure is None else figure.value
    return math.log(power_factor(np.array([limit_w]), np.array([card.tdp_w]))[0])


def _moved(
    effects: Mapping[tuple[object, ...], Effect], by: Mapping[tuple[object, ...], float]
) -> dict[tuple[object, ...], Effect]:
    """Return effects with something added to the mean of each."""
    return {
        name: Effect(one.mean + by[name], one.log_sd) for name, one in effects.items()
    }


def bandwidths(machines: Sequence[MeasuredMachine], gpus: GpuTable) -> Learned:
    """Return what bandwidths say of cards, over the usual share of the nominal one."""
    compared, kinds = list[Compared](), dict[str, float]()
    for machine, card in _with_cards(machines, gpus):
        figure = machine.slowest("bandwidth")
        share = USUAL_BANDWIDTH.get(card.name, OTHER_BANDWIDTH)
        expected = share * card.memory_bandwidth_gb_s
        if figure is None or not (usable(figure.value) and usable(expected)):
            continue
        over = math.log(figure.value / expected)
        compared.append(Compared(machine, card.name, "bandwidth", over, figure))
        kinds[card.name] = _BANDWIDTH_CARD_LOG_SD
    return learned_of(
        compared,
        kinds,
        BANDWIDTH_MACHINE_LOG_SD,
        _BANDWIDTH_LINE_LOG_SD,
        {"bandwidth": 0.0},
    )


def _with_cards(
    machines: Sequence[MeasuredMachine], gpus: GpuTable
) -> Iterator[tuple[MeasuredMachine, Gpu]]:
    """Yield the machines whose card is in the table."""
    for machine in machines:
        if machine.gpu in gpus:
            yield machine, gpus[machine.gpu]
