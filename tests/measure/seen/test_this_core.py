"""How fast this machine's core is: by zlib, by name, by both, by neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.core_speed import named_speed
from advisor.hardware.cpus import load_cpus
from advisor.measure.this_core import REFERENCE_ZLIB_MB_S, core_of, this_core
from advisor.throughput.tables import load_tables

CPUS = load_cpus()
CONSTANTS = load_tables(models_folder()).model.cpu
ZEN_2 = "AMD EPYC 7742"


def test_the_reference_core_is_one() -> None:
    """By what it compresses."""
    core = core_of(REFERENCE_ZLIB_MB_S, "zlib 1.2.13", "", CPUS, CONSTANTS)
    assert core.speed == pytest.approx(1.0)
    assert 0.1 < core.log_sd < 0.3


def test_a_name_and_a_rate_are_averaged() -> None:
    """Between both, and better known than by either."""
    known = CPUS.resolve(ZEN_2)
    assert known is not None
    by_name = named_speed(known, CONSTANTS)
    both = core_of(2 * REFERENCE_ZLIB_MB_S, "zlib 1.2.13", ZEN_2, CPUS, CONSTANTS)
    assert by_name.speed < both.speed < 2.0
    assert both.log_sd < by_name.log_sd
    assert ZEN_2 in both.source
    assert "MB/s" in both.source


def test_another_zlib_is_no_measure() -> None:
    """zlib-ng is about twice as fast on the same core: the name alone counts."""
    known = CPUS.resolve(ZEN_2)
    assert known is not None
    core = core_of(80.0, "per second; zlib 1.3.1.zlib-ng", ZEN_2, CPUS, CONSTANTS)
    assert core.speed == pytest.approx(named_speed(known, CONSTANTS).speed)


def test_nothing_known_is_one_and_wide() -> None:
    """Neither a name nor a rate."""
    core = core_of(0.0, "", "", CPUS, CONSTANTS)
    assert (core.speed, core.log_sd) == (1.0, CONSTANTS.nothing_log_sd)


@given(st.floats(1.0, 200.0), st.floats(1.0, 200.0), st.sampled_from(["", ZEN_2]))
def test_who_compresses_more_is_no_slower(one: float, other: float, name: str) -> None:
    """Whatever the core is called."""
    slow, fast = sorted((one, other))
    speeds = [
        core_of(rate, "zlib 1.2.13", name, CPUS, CONSTANTS).speed for rate in (slow, fast)
    ]
    assert speeds[0] <= speeds[1]


def test_this_machine_has_a_core() -> None:
    """It is measured: a speed that a core can have."""
    core = this_core(CPUS, CONSTANTS)
    assert 0.05 < core.speed < 20.0
