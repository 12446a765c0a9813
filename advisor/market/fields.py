"""The fields that the market's query language knows, and what people write for each.

Names, aliases and factors are those of the official client (`vastai` 1.9.1,
``vastai/api/query.py``: `offers_fields`, `offers_alias`, `offers_mult`); what a field
holds is from the help of its ``search offers`` and from published offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "number",
    "flag",
    "text",
    "word",
    "cpu",
    "country",
    "version",
    "release",
    "other",
]
"""What a field holds: a number; true or false; a text; a text of small letters; a CPU
architecture; a country; a driver's version; the release of a system; nobody said (a
field of another market)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an offer as people write it in a query.

    Attributes
    ----------
    kind : what it holds
    unit : what people count it in; ``""`` for a bare number
    factor : market's unit per unit that people write
    least, most : bounds, in the market's unit, outside of which the unit is mistaken;
        None: no such bound
    meaning : of the number, for who mistook the unit
    """

    kind: Kind = "number"
    unit: str = ""
    factor: float = 1
    least: float | None = None
    most: float | None = None
    meaning: str = ""


_NUMBER, _FLAG, _TEXT, _WORD = Field(), Field("flag"), Field("text"), Field("word")
_MEMORY = Field(unit="GB", factor=1000)
_USD_PER_GB = Field(unit="$/GB")
_MBIT_PER_S = Field(unit="Mbit/s")

FIELDS: Mapping[str, Field] = {
    "bw_nvlink": Field(unit="GB/s"),
    "cluster_id": _NUMBER,
    "compute_cap": Field(least=100, meaning="counted x 100, 890 for 8.9"),
    "cpu_arch": Field("cpu"),
    "cpu_cores": Field(unit="threads"),
    "cpu_cores_effective": Field(unit="threads"),
    "cpu_ghz": Field(unit="GHz"),
    "cpu_ram": _MEMORY,
    "cuda_max_good": _NUMBER,
    "datacenter": _FLAG,
    "direct_port_count": Field(unit="ports"),
    "disk_bw": Field(unit="MB/s"),
    "disk_space": Field(unit="GB"),
    "dlperf": _NUMBER,
    "dlperf_per_dphtotal": _NUMBER,
    "dph_total": Field(unit="$/h"),
    "driver_version": Field("version"),
    "duration": Field(unit="days", factor=24.0 * 60.0 * 60.0),
    "external": _FLAG,
    "flops_per_dphtotal": _NUMBER,
    "geolocation": Field("country"),
    "gpu_arch": _WORD,
    "gpu_display_active": _FLAG,
    "gpu_frac": _NUMBER,
    "gpu_max_power": Field(unit="W"),
    "gpu_max_temp": Field(unit="degrees C"),
    "gpu_mem_bw": Field(unit="GB/s"),
    "gpu_name": _TEXT,
    "gpu_ram": _MEMORY,
    "gpu_total_ram": _MEMORY,
    "has_avx": _FLAG,
    "host_id": _NUMBER,
    "id": _NUMBER,
    "inet_down": _MBIT_PER_S,
    "inet_down_cost": _USD_PER_GB,
    "inet_up": _MBIT_PER_S,
    "inet_up_cost": _USD_PER_GB,
    "machine_id": _NUMBER,
    "min_bid": Field(unit="$/h"),
    "mobo_name": _TEXT,
    "num_gpus": Field(unit="GPUs"),
    "pci_gen": _NUMBER,
    "pcie_bw": Field(unit="GB/s"),
    "reliability": Field(most=1, meaning="from 0 to 1"),
    "rentable": _FLAG,
    "rented": _FLAG,
    "static_ip": _FLAG,
    "storage_cost": Field(unit="$/GB per month"),
    "total_flops": Field(unit="TFLOPS"),
    "ubuntu_version": Field("release"),
    "verification": _WORD,
    "verified": _FLAG,
    "vms_enabled": _FLAG,
}
"""Field of a query -> what it holds. The bounds are ours, and so are the kinds."""

ALIASES: Mapping[str, str] = {
    "cuda_vers": "cuda_max_good",
    "display_active": "gpu_display_active",
    "dlperf_usd": "dlperf_per_dphtotal",
    "dph": "dph_total",
    "flops_usd": "flops_per_dphtotal",
}
"""Other name of a field -> the field."""

OTHER_FIELD = Field("other")
"""A field that the client does not list: what the offers at hand have under its name."""

PRICED = frozenset({"dph_total", "dlperf_per_dphtotal", "flops_per_dphtotal"})
"""Fields that contain the price of the disk that was searched for."""
