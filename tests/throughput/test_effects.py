"""What machines say of themselves and of their kind: laws of the mixed model."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.throughput.effects import Effects, Reading, Spreads, learned

KIND, MACHINE, OFFSET, DAY, NOISE = 0.1, 0.05, 0.1, 0.03, 0.02
OFF = st.floats(-1.0, 1.0)


def of_machines(
    *values: float, days: int = 1, kinds: int = 1, most_by_few: float = math.inf
) -> Effects:
    """Return what machines show, each read on so many days, of kinds in turn."""
    readings = [
        Reading(at % kinds, at, 0, 0, at * days + day, value, NOISE**2)
        for at, value in enumerate(values)
        for day in range(days)
    ]
    occasions = [DAY] * (len(values) * days)
    spreads = Spreads(
        *([KIND] * kinds, MACHINE, [OFFSET], [0.0], occasions), most_by_few=most_by_few
    )
    return learned(readings, spreads)


@given(st.floats(0.5, 1.0), st.integers(3, 6))
@settings(max_examples=30)
def test_what_three_agree_on_is_the_kind_however_far_it_is(
    off: float, count: int
) -> None:
    """Two may be odd for one reason; more are believed most of what they show."""
    found = of_machines(*[-off] * count)
    assert found.agreed == {0}
    assert found.level[0].mean < -0.75 * off
    assert not of_machines(*[-off] * 2).agreed
    assert not of_machines(0.0, -off, -off).agreed


@given(st.lists(OFF, min_size=1, max_size=5))
@settings(max_examples=30)
def test_few_that_do_not_agree_move_their_kind_by_so_much_at_most(
    values: list[float],
) -> None:
    """What is beyond is the machines' own: of these no less is said."""
    bounded, free = (of_machines(*values, most_by_few=most) for most in (0.05, math.inf))
    if not bounded.agreed:
        assert abs(bounded.level[0].mean) <= 0.05
    for one, other in zip(bounded.machine, free.machine, strict=True):
        assert one == other
    for own, machine in zip(bounded.own, bounded.machine, strict=True):
        assert own.mean + bounded.level[0].mean == pytest.approx(machine.mean)


@given(OFF)
def test_less_is_believed_than_is_read(value: float) -> None:
    """Of a machine more than of its kind, of neither more than all, on the same side."""
    found = of_machines(value)
    kind, machine = (math.copysign(1.0, value) * one[0].mean for one in found[:2])
    assert -1e-12 <= kind <= machine + 1e-12 <= abs(value) + 1e-9
    assert found.own[0].mean + found.level[0].mean == pytest.approx(found.machine[0].mean)


@given(OFF, st.integers(1, 5))
@settings(max_examples=30)
def test_one_machine_is_one_draw(value: float, more: int) -> None:
    """The kind of a machine that was read often is not as sure as that of several."""
    often = of_machines(value, days=more + 1)
    several = of_machines(*[value] * (more + 1))
    once = of_machines(value)
    spread = [one.level[0].log_sd for one in (once, often, several)]
    if abs(value) < 3.0 * KIND:  # beyond, several say that the kind surprises
        assert several.level[0].log_sd < once.level[0].log_sd
    if abs(value) < MACHINE:  # beyond, the machine may be the odd one
        assert spread[2] <= spread[1] <= spread[0] + 1e-9
        assert abs(several.level[0].mean) >= abs(often.level[0].mean) - 1e-9


@given(st.integers(1, 6), st.floats(-0.2, 0.2))
@settings(max_examples=30)
def test_the_next_machine_is_never_surer_than_machines_differ(
    count: int, value: float
) -> None:
    """However many of a kind there were."""
    assert of_machines(*[value] * count).kind[0].log_sd >= MACHINE


def test_a_machine_at_half_speed_is_one_machine() -> None:
    """Among others as usual it is put down to itself, and the kind hardly moves."""
    slow = math.log(0.5)
    found = of_machines(0.0, 0.0, 0.0, 0.0, slow)
    assert found.machine[4].mean == pytest.approx(slow, rel=0.1)
    assert abs(found.kind[0].mean) < 0.02
    assert abs(found.machine[0].mean) < 0.02


def test_what_several_show_is_the_kind() -> None:
    """Three at a tenth less say so of the next one, as far as it is not the offset."""
    three = of_machines(*[-0.1] * 3)
    one = of_machines(-0.1)
    assert three.kind[0].mean < one.kind[0].mean < -0.02
    assert three.kind[0].log_sd < one.kind[0].log_sd


def test_the_offset_is_common_to_all_kinds() -> None:
    """What every kind shows alike is the measure's, not theirs."""
    one = of_machines(-0.2, kinds=1)
    four = of_machines(*[-0.2] * 4, kinds=4)
    assert abs(four.level[0].mean) < abs(one.level[0].mean)


@given(st.lists(OFF, min_size=1, max_size=6), st.integers(1, 3))
@settings(max_examples=30)
def test_the_mirror_image_shows_the_mirror_image(values: list[float], kinds: int) -> None:
    """Signs of all readings turned, signs of all means turned."""
    kinds = min(kinds, len(values))
    here = of_machines(*values, kinds=kinds)
    there = of_machines(*(-value for value in values), kinds=kinds)
    for one, other in zip(here.machine, there.machine, strict=True):
        assert one.mean == pytest.approx(-other.mean, abs=1e-5)
        assert one.log_sd == pytest.approx(other.log_sd, rel=1e-4)
