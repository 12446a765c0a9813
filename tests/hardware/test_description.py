"""A machine from a description: as physics, what an offer that states as much is."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.units import MIB_PER_GB
from advisor.hardware.description import Description
from advisor.hardware.machines import Machines, describe
from advisor.market.facts import MachineFacts
from advisor.market.offers import Offers, parse_machine
from advisor.throughput.tables import load_tables

TABLES = load_tables()

STATED = st.fixed_dictionaries(
    {"gpu": st.sampled_from(["RTX 4090", "A100 SXM4", "H100 SXM", "no such card"])},
    optional={
        "num_gpus": st.integers(1, 16),
        "gpu_memory_gb": st.sampled_from([10.0, 24.0, 40.0, 80.0]),
        "cpu": st.sampled_from(["AMD EPYC 7763", "Ryzen 9 7950X", "Xeon", "odd\x1b"]),
        "threads": st.floats(0.5, 512.0),
        "cpu_ghz": st.floats(0.5, 9.0),
        "ram_gb": st.floats(1.0, 4_000.0),
        "pcie_gb_s": st.floats(0.5, 60.0),
        "pcie_generation": st.integers(1, 5),
        "pcie_lanes": st.sampled_from([1, 4, 8, 16]),
        "nvlink_gb_s": st.sampled_from([0.0, 300.0]),
        "disk_mb_s": st.floats(10.0, 20_000.0),
    },
)
KEYS = {
    "gpu": ("gpu_name", 1),
    "num_gpus": ("num_gpus", 1),
    "gpu_memory_gb": ("gpu_ram", 1024.0),
    "cpu": ("cpu_name", 1),
    "threads": ("cpu_cores_effective", 1),
    "cpu_ghz": ("cpu_ghz", 1),
    "ram_gb": ("cpu_ram", MIB_PER_GB),
    "pcie_gb_s": ("pcie_bw", 1),
    "pcie_generation": ("pci_gen", 1),
    "pcie_lanes": ("gpu_lanes", 1),
    "nvlink_gb_s": ("bw_nvlink", 1),
    "disk_mb_s": ("disk_bw", 1),
}
"""Word of a description -> the market's key, and its units in one of the word's."""


def described(stated: dict[str, Any]) -> Machines:
    constants = TABLES.model.cpu
    return Description(**stated).machine(TABLES.gpus, TABLES.cpus, constants)


@pytest.mark.slow
@given(STATED)
def test_a_description_is_what_an_offer_of_the_machine_would_be(
    stated: dict[str, Any],
) -> None:
    """Each figure is the same, to the last bit, as from a market's record."""
    record = {"num_gpus": 1, "gpu_frac": 1.0} | {
        KEYS[word][0]: value if isinstance(value, str) else value * KEYS[word][1]
        for word, value in stated.items()
    }
    of_market = describe(
        parse_machine(record), TABLES.gpus, TABLES.cpus, TABLES.model.cpu
    )
    of_words = described(stated)
    assert of_words.models[of_words.model[0]] == of_market.models[of_market.model[0]]
    for one in fields(Machines):
        if one.name != "models":
            np.testing.assert_equal(
                getattr(of_words, one.name), getattr(of_market, one.name), one.name
            )


def test_what_is_unknown_is_flagged() -> None:
    """A card alone: CPU and threads are unknown, memory and disk have no figure."""
    (only,) = described({"gpu": "RTX 4090"}).flags["cpu_unknown"]
    machine = described({"gpu": "RTX 4090"})
    assert only
    assert machine.flags["cores_unknown"][0]
    assert np.isnan([machine.ram_gb[0], machine.disk_mb_s[0]]).all()
    assert machine.gpu_memory_gb[0] == 24.0


def test_offers_tell_all_facts_of_machines() -> None:
    """What physics reads of an offer is what can be known of any machine."""
    assert issubclass(Offers, MachineFacts)
    with pytest.raises(TypeError, match="dph_base"):
        MachineFacts.of(gpu_name="RTX 4090", dph_base=0.3)
