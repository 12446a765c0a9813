"""Several GPUs: laws of the efficiency, for any artifact and any machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import AdvisorError
from advisor.hardware.gpus import load_gpus
from advisor.throughput.scaling import (
    CLASSES,
    NVLINK_GB_S,
    STAGED_GB_S,
    Scaling,
    efficiency,
    host_links_gb_s,
    limit_bus,
    links_gb_s,
    measured_class,
    nominal_host_to_gpu_gb_s,
)

SCALING = Scaling(
    share={"pcie": 0.4, "pcie-p2p": 0.9, "sxm": 0.3},
    contention={"pcie": 0.3, "pcie-p2p": 0.1, "sxm": 0.0},
    loss={"pcie": 0.02, "pcie-p2p": 0.01, "sxm": 0.005},
    gpu={"RTX 4090": 0.5, "A100-SXM4-80GB": -0.5},
    workload={"resnet50": -0.7},
    spread_floor={f"{k}/{c}": 0.05 for k in ("pair", "gpu", "workload") for c in CLASSES},
    spread_growth={
        f"{k}/{c}": 0.02 for k in ("pair", "gpu", "workload") for c in CLASSES
    },
    spread_rise={f"{k}/{c}": 0.5 for k in ("pair", "gpu", "workload") for c in CLASSES},
    spread_slope={
        f"{k}/{c}": s
        for k, s in (("pair", 0.2), ("gpu", 0.4), ("workload", 0.6))
        for c in CLASSES
    },
    rows=dict.fromkeys(CLASSES, 10.0),
)

JOBS = st.fixed_dictionaries(
    {
        "interconnect": st.sampled_from([*CLASSES, "nvlink", "another"]),
        "gpu": st.sampled_from(["RTX 4090", "A100-SXM4-80GB", "never seen"]),
        "workload": st.sampled_from(["resnet50", ""]),
        "num_gpus": st.sampled_from([2.0, 3.0, 4.0, 8.0, 10.0]),
        "gradient_gb": st.floats(1e-4, 300.0),
        "step_s": st.floats(1e-3, 100.0),
        "link_gb_s": st.floats(0.2, 1000.0),
    }
)


def share(job: dict[str, Any]) -> float:
    """Return the efficiency of one job."""
    interconnect, gpu = np.array([job["interconnect"]]), np.array([job["gpu"]])
    n, link = np.array([job["num_gpus"]]), np.array([job["link_gb_s"]])
    step = np.array([job["step_s"]])
    bus = SCALING.bus_gb_s(interconnect, gpu, job["workload"], n, link)
    ceiling = SCALING.ceiling(interconnect, n)
    bus = limit_bus(n, job["gradient_gb"], step, bus, ceiling)
    return float(efficiency(n, job["gradient_gb"], step, bus, ceiling)[0])


def test_efficiency_by_hand() -> None:
    """4 GB over 2 GPUs at 4 GB/s take a second: as long as the step, so half."""
    n, ones = np.array([1.0, 2.0]), np.ones(2)
    assert efficiency(n, 4.0, ones, 4.0 * ones, ones).tolist() == [1.0, 0.5]


def test_the_bus_by_hand() -> None:
    """Eight RTX 4090: 0.4 of 20 GB/s, 4^-0.3 for the crowd, e^(0.7 - 0.5) by effects."""
    bus = SCALING.bus_gb_s(
        np.array(["pcie"]),
        np.array(["RTX 4090"]),
        "resnet50",
        np.array([8.0]),
        np.array([20.0]),
    )
    assert bus[0] == pytest.approx(8.0 * 4.0**-0.3 * np.exp(0.2))


@given(job=JOBS)
def test_n_gpus_are_between_one_and_n(job: dict[str, Any]) -> None:
    """No machine is slower than one of its GPUs, none faster than all alone."""
    assert 1.0 - 1e-9 <= share(job) * job["num_gpus"] <= job["num_gpus"]


@pytest.mark.parametrize(("field", "sign"), [("gradient_gb", -1), ("step_s", 1)])
@given(job=JOBS, factor=st.floats(1.0, 100.0))
def test_more_to_exchange_costs_and_a_longer_step_hides_it(
    field: str, sign: int, job: dict[str, Any], factor: float
) -> None:
    """Efficiency falls as gradients grow and rises as the step gets longer."""
    more = share(job | {field: job[field] * factor})
    assert sign * (more - share(job)) >= -1e-9


@given(job=JOBS, factor=st.floats(1.0, 100.0))
def test_a_faster_link_is_never_slower(job: dict[str, Any], factor: float) -> None:
    """The efficiency does not fall when the link gets faster."""
    faster = share(job | {"link_gb_s": job["link_gb_s"] * factor})
    assert faster >= share(job) - 1e-9


@pytest.mark.slow
@given(job=JOBS, more=st.sampled_from([1.0, 2.0, 6.0]))
def test_more_gpus_lose_more_each_and_gain_together(
    job: dict[str, Any], more: float
) -> None:
    """With each GPU added each runs slower, and all together not."""
    less, bigger = share(job), share(job | {"num_gpus": job["num_gpus"] + more})
    assert bigger <= less + 1e-9
    assert bigger * (job["num_gpus"] + more) >= less * job["num_gpus"] - 1e-9


@given(job=JOBS, factor=st.floats(1e-3, 1e3))
def test_only_the_exchange_over_the_step_counts(
    job: dict[str, Any], factor: float
) -> None:
    """Gradients and step times the same factor change nothing: units cancel."""
    scaled = {name: job[name] * factor for name in ("gradient_gb", "step_s")}
    assert share(job | scaled) == pytest.approx(share(job), rel=1e-9)


def test_one_gpu_loses_nothing() -> None:
    """Its ceiling is 1, its bus as given, and its efficiency certain."""
    one, sxm, gpu = np.ones(1), np.array(["sxm"]), np.array(["never seen"])
    assert SCALING.ceiling(sxm, one)[0] == 1.0
    assert limit_bus(one, 1.0, one, 5.0 * one, one)[0] == 5.0
    spread = SCALING.log_sd(sxm, gpu, "", one, one)
    assert spread.fall[0] == spread.rise[0] == 0.0


def test_what_is_new_is_less_certain() -> None:
    """A new GPU widens the spread, a new workload too, and so does a loss."""
    two, sxm = np.array([2.0]), np.array(["sxm"])
    known, new = np.array(["RTX 4090"]), np.array(["never seen"])
    half = np.array([0.5])
    spread = [
        SCALING.log_sd(sxm, known, "resnet50", two, np.array([0.9])).fall[0],
        SCALING.log_sd(sxm, known, "resnet50", two, half).fall[0],
        SCALING.log_sd(sxm, new, "resnet50", two, half).fall[0],
        SCALING.log_sd(sxm, known, "never seen", two, half).fall[0],
    ]
    assert spread == sorted(spread)
    assert spread[1] == pytest.approx(0.05 + 0.2 * np.log(2.0))
    more = SCALING.log_sd(sxm, known, "resnet50", np.array([8.0]), half)
    assert more.fall[0] == pytest.approx(spread[1] + 2 * 0.02)
    assert more.rise[0] == pytest.approx(0.5 * more.fall[0])


def test_a_known_gpu_is_never_less_certain_than_a_new_one() -> None:
    """Where the held-out spread of new GPUs came out smaller, theirs is that of pairs."""
    lucky = {
        n: 0.01 if n.startswith("gpu/") else v for n, v in SCALING.spread_floor.items()
    }
    scaling = replace(SCALING, spread_floor=lucky)
    two, share_of_two = np.array([2.0]), np.array([0.99])
    spreads = [
        scaling.log_sd(np.array(["sxm"]), np.array([gpu]), "resnet50", two, share_of_two)
        for gpu in ("RTX 4090", "never seen")
    ]
    assert spreads[0].fall <= spreads[1].fall
    assert spreads[0].rise <= spreads[1].rise


def test_classes_without_measurements_have_a_stand_in() -> None:
    """A bridge is at least PCIe with peer to peer; the unheard of is the slowest."""
    found = measured_class(np.array(["nvlink", "sxm", "another"]))
    assert found.tolist() == ["pcie-p2p", "sxm", "pcie"]


def test_boards_exchange_over_nvlink_and_cards_over_pcie() -> None:
    """The link is NVLink's for SXM modules alone."""
    links = links_gb_s(
        np.array(["sxm", "sxm", "pcie", "pcie-p2p"]),
        np.array(["Hopper", "of the future", "Ada Lovelace", "Hopper"]),
        np.array([50.0, 50.0, 5.0, 40.0]),
    )
    assert links.tolist() == [450.0, min(NVLINK_GB_S.values()), 5.0, 40.0]


def test_what_goes_through_the_hosts_memory_fills_no_faster_link() -> None:
    """Without peer-to-peer PCIe 4.0 and 5.0 exchange as 3.0 does; fewer lanes slow it."""
    links = host_links_gb_s(
        np.array(["pcie", "pcie", "pcie", "another", "pcie-p2p", "nvlink"]),
        np.array([50.0, 25.0, 6.0, 25.0, 25.0, 25.0]),
    )
    assert links.tolist() == [STAGED_GB_S, STAGED_GB_S, 6.0, STAGED_GB_S, 25.0, 25.0]
    assert np.isnan(host_links_gb_s(np.array(["pcie"]), np.array([np.nan]))).all()


def test_every_sxm_module_of_the_table_has_its_nvlink() -> None:
    """No architecture of an SXM module falls back on the slowest link."""
    for gpu in load_gpus().values():
        if gpu.interconnect == "sxm":
            assert gpu.architecture.startswith(tuple(NVLINK_GB_S))


def test_the_nominal_link_follows_generation_and_lanes() -> None:
    """Generation 4 copies at 25 GB/s on 16 lanes, generation 3 at half of it."""
    gpus = load_gpus()
    found = nominal_host_to_gpu_gb_s([gpus["RTX 3090"], gpus["RTX 2080 Ti"]])
    assert found == pytest.approx([25.2, 12.6], rel=0.01)


def test_the_section_survives_a_round_trip() -> None:
    """What is written is what is read."""
    assert Scaling.from_dict(SCALING.to_dict()) == SCALING


def test_a_table_without_pairs_knows_no_efficiency() -> None:
    """An empty section says of several GPUs that nothing is known."""
    nothing = Scaling.from_dict({})
    assert np.isnan(nothing.ceiling(np.array(["pcie"]), np.array([2.0]))).all()


def test_an_older_section_is_refused() -> None:
    """One bus a class, as before, is another form."""
    with pytest.raises(AdvisorError, match="another form of scaling"):
        Scaling.from_dict({"pcie": {"bus_gb_s": 6.0}})
