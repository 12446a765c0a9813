"""The limits of throughput and their near-minimum, by their laws and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.throughput.limit import LimitRates, near_minimum
from advisor.throughput.limits import LIMITS, input_rate
from advisor.throughput.spread import Z90, Spread

RATES = st.floats(1e-3, 1e9)
SPREADS = st.floats(0.0, 1.0)
ORDER = 8.0
FREE = np.full((len(LIMITS), 1), np.inf)


@given(st.lists(RATES, min_size=1, max_size=6))
def test_the_minimum_is_never_above_the_least_limit(rates: list[float]) -> None:
    """It lies between the least limit over n^(1/p) and the least limit."""
    joined = near_minimum(np.array(rates)[:, None], ORDER)[0]
    least = min(rates)
    assert least / len(rates) ** (1 / ORDER) <= joined * (1 + 1e-12)
    assert joined <= least * (1 + 1e-12)


@given(st.lists(RATES, min_size=2, max_size=6), st.floats(1.0, 1e6))
def test_a_higher_limit_never_lowers_the_minimum(
    rates: list[float], factor: float
) -> None:
    """Raising any one limit does not lower what they allow together."""
    limits = np.array(rates)[:, None]
    for row in range(len(rates)):
        raised = limits.copy()
        raised[row] *= factor
        before, after = near_minimum(limits, ORDER), near_minimum(raised, ORDER)
        assert after[0] >= before[0] * (1 - 1e-12)


def test_two_equal_limits_cost_eight_per_cent() -> None:
    """At order 8 two limits of 100 leave 2^(-1/8) x 100, 91.7."""
    assert near_minimum(np.array([[100.0], [100.0]]), 8.0)[0] == pytest.approx(91.7, 1e-3)


def test_an_infinite_limit_does_not_count() -> None:
    """A disk that never limits changes nothing."""
    assert near_minimum(np.array([[100.0], [np.inf]]), ORDER)[0] == 100.0


def test_an_unknown_limit_leaves_the_minimum_unknown() -> None:
    """NaN stays NaN: nothing is invented for a GPU that nobody knows."""
    assert np.isnan(near_minimum(np.array([[100.0], [np.nan]]), ORDER)[0])


@given(st.floats(0.05, 256), st.floats(0.3, 3), st.floats(0.01, 50), RATES)
def test_more_cores_or_faster_ones_never_feed_less(
    cores: float, speed: float, core_ms: float, gpu_rate: float
) -> None:
    """A tenth more of either never lowers what they feed a GPU with."""

    def fed(cores: float, speed: float) -> float:
        one = np.array([cores]), np.array([speed]), core_ms, np.array([gpu_rate])
        return float(input_rate(*one, core_exponent=0.95, driver_cores=0.5)[0])

    assert fed(1.1 * cores, speed) >= fed(cores, speed)
    assert fed(cores, 1.1 * speed) >= fed(cores, speed)


def test_cores_feed_a_gpu_by_hand() -> None:
    """Four cores, 4 ms a sample, half a core for a GPU of 500/s: 4^0.95 / 5 ms."""
    fed = input_rate(
        np.array([4.0]),
        np.array([1.0]),
        4.0,
        np.array([500.0]),
        core_exponent=0.95,
        driver_cores=0.5,
    )
    assert fed[0] == pytest.approx(4**0.95 / 0.005)


def limits(**rates: float) -> LimitRates:
    """Return limits of one machine; those not named do not limit."""
    rows = {one.name: np.array([rates.get(one.name, np.inf)]) for one in LIMITS}
    return LimitRates.named(LIMITS, rows, ORDER)


def test_gradients_add_to_the_step() -> None:
    """GPUs and exchange at 100 each leave 50; GPUs and CPU at 100 leave 91.7."""
    exchange = limits(gpu=100.0, gradients=100.0).joined()[0]
    assert exchange == pytest.approx(50.0)
    assert limits(gpu=100.0, cpu=100.0).joined()[0] == pytest.approx(91.7, 1e-3)


def test_the_interval_of_one_limit_is_its_own() -> None:
    """With one limit that binds, the bounds are its 5 % and 95 % points."""
    spreads = np.full_like(FREE, 0.1)
    low, high = limits(gpu=100.0).interval(spreads)
    assert low[0] == pytest.approx(100 * np.exp(-0.16448536))
    assert high[0] == pytest.approx(100 * np.exp(0.16448536))


@given(
    st.lists(RATES, min_size=len(LIMITS), max_size=len(LIMITS)),
    st.lists(SPREADS, min_size=len(LIMITS), max_size=len(LIMITS)),
    st.floats(0.0, 1.0),
)
def test_more_spread_never_narrows_the_interval(
    rates: list[float], spreads: list[float], more: float
) -> None:
    """A limit that is less well known widens the interval or leaves it."""
    of = LimitRates(LIMITS, np.array(rates)[:, None], ORDER)
    spread = np.array(spreads)[:, None]
    low, high = of.interval(spread)
    wider = spread.copy()
    wider[0] += more
    wider_low, wider_high = of.interval(wider)
    assert wider_low[0] <= low[0] * (1 + 1e-9)
    assert wider_high[0] >= high[0] * (1 - 1e-9)
    middle = of.joined()[0]
    assert low[0] <= middle * (1 + 1e-12)
    assert middle <= high[0] * (1 + 1e-12)


def test_an_efficiency_that_may_only_fall_leaves_the_high_end() -> None:
    """Each side of the interval takes the spread of its own side."""
    sure = np.zeros_like(FREE)
    zero, some = np.zeros(1), np.full(1, 0.2)
    low, high = limits(gpu=100.0).interval(sure, Spread(fall=some, rise=zero))
    assert low[0] == pytest.approx(100 * np.exp(-0.2 * Z90))
    assert high[0] == pytest.approx(100.0)
    low, high = limits(gpu=100.0).interval(sure, Spread(fall=zero, rise=some))
    assert low[0] == pytest.approx(100.0)
    assert high[0] == pytest.approx(100 * np.exp(0.2 * Z90))


def test_a_limit_that_may_bind_lowers_the_low_end() -> None:
    """A CPU known badly, 20 % above the GPU, is a risk that a known one is not."""
    of = limits(gpu=100.0, cpu=120.0)
    spreads = np.full_like(FREE, 0.05)
    sure, _ = of.interval(spreads)
    spreads[of.row("cpu")] = 0.8
    unsure, _ = of.interval(spreads)
    assert unsure[0] < 0.6 * sure[0]


@given(st.lists(st.floats(1.0, 1e4), min_size=len(LIMITS), max_size=len(LIMITS)))
def test_the_shares_are_the_derivatives(values: list[float]) -> None:
    """Of 1 % more of a limit the rate gains its share, about; all shares add up."""
    of = LimitRates(LIMITS, np.array(values)[:, None], 7.0)
    shares = of.shares()[:, 0]
    assert shares.sum() == pytest.approx(1.0)
    step = 1e-6
    for name, share in zip(of.names, shares, strict=True):
        if name in {"gpu", "gradients"}:
            continue  # these two share theirs
        gain = np.log(of.moved(name, 1 + step).joined() / of.joined())[0] / step
        assert gain == pytest.approx(share, abs=1e-3)


@given(
    st.lists(RATES, min_size=len(LIMITS), max_size=len(LIMITS)),
    st.permutations(range(len(LIMITS))),
)
def test_the_order_of_the_limits_says_nothing(
    values: list[float], order: list[int]
) -> None:
    """What they allow, which binds, and the interval are those of any other order."""
    of = LimitRates(LIMITS, np.array(values)[:, None], ORDER)
    other = LimitRates([LIMITS[at] for at in order], of.rates[order], ORDER)
    spreads = np.linspace(0.1, 0.5, len(LIMITS))[:, None]
    assert other.joined()[0] == pytest.approx(of.joined()[0], rel=1e-9)
    assert np.allclose(other.shares(), of.shares()[order], rtol=1e-9, atol=1e-12)
    assert np.allclose(other.interval(spreads[order]), of.interval(spreads), rtol=1e-9)
    if len(set(values)) == len(values):
        assert other.binding()[0] == of.binding()[0]
