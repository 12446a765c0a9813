"""Which CPUs the table holds, how they are cleaned, and what is filled in by rule."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.hardware.cpus import Cpu
from advisor.hardware.names import cpu_key

if TYPE_CHECKING:
    import pandas as pd

# What appears in hosts for rent: servers, workstations and desktops since about
# 2011, laptops with a discrete GPU since about 2018. And the two small laptops of the
# published decode rates: what one core of them does counts like that of any other.
CHOSEN = re.compile(
    r"epyc (?!embedded|3).*|threadripper .*"
    r"|xeon e5 [12]\d{3}\w?( v\d)?|xeon e3 12\d\d( v\d)?|xeon e 2\d{3}g?"
    r"|xeon (?!silver 4018)(bronze|silver|gold|platinum) \d{4}(?!.*e)\w{0,2}\+?"
    r"|xeon max .*|xeon 6\d{3}[pe]|xeon w \d{4}\w?|xeon w\d .*"
    r"|ryzen [3579] (pro )?[1-9]\d{3}(x|xt|f|g|x3d|x3d2)?"
    r"|ryzen [579] [4-9]\d{3}(h|hs|hx|hx3d)"
    r"|core i[3579] ([2-9]|1[0-4])\d{3}(k|kf|ks|f|x|xe)?"
    r"|core i[579] ([89]|1[0-4])\d{3}(h|hx|hk)"
    r"|core ultra [579] [12]\d\d(h|hx|k|kf|f)?"
    r"|core i5 (4258|8279)u"
)

# Models of published hosts that the raw table lacks, or knows from a slice of a
# virtual machine: cores, threads, base GHz, boost GHz, from the vendors' product
# pages; of those made for one cloud, which have no page, as its guests report them.
BY_HAND: dict[str, tuple[float, float, float, float]] = {
    "AMD EPYC 7B12": (64, 128, 2.25, 3.3),
    "AMD EPYC 7B13": (64, 128, 2.45, 3.5),
    "AMD EPYC 7V12": (64, 128, 2.45, 3.3),
    "AMD EPYC 7V13": (64, 128, 2.45, 3.7),
    "AMD EPYC 9B14": (96, 192, 2.6, 3.7),
    "AMD EPYC 9B45": (128, 256, 2.7, 4.1),
    "AMD EPYC 9V33X": (96, 192, 2.55, 3.7),
    "AMD EPYC 9555": (64, 128, 3.2, 4.4),
    "AMD EPYC 9575F": (64, 128, 3.3, 5.0),
    "AMD EPYC 9355": (32, 64, 3.55, 4.4),
    "AMD EPYC 9655": (96, 192, 2.6, 4.5),
    "AMD EPYC 9755": (128, 256, 2.7, 4.1),
    "Intel Xeon Gold 6133": (20, 40, 2.5, 3.0),
    "Intel Xeon Gold 6262V": (24, 48, 1.9, 3.6),
    "Intel Xeon Platinum 8174": (24, 48, 3.1, 3.9),
    "Intel Xeon Platinum 8255C": (24, 48, 2.5, 3.9),
    "Intel Xeon Platinum 8269CY": (26, 52, 2.5, 3.8),
    "Intel Xeon Platinum 8350C": (32, 64, 2.6, 3.5),
    "Intel Xeon Platinum 8369B": (32, 64, 2.7, 3.5),
    "Intel Xeon Platinum 8378A": (32, 64, 3.0, 3.5),
    "Intel Xeon Platinum 8480C": (56, 112, 2.0, 3.8),
    "Intel Xeon Platinum 8480CL": (56, 112, 2.0, 3.8),
    "Intel Xeon Platinum 8481C": (56, 112, 2.0, 3.8),
    "Intel Xeon Platinum 8581C": (60, 120, 2.3, 4.0),
    "Intel Xeon 6787P": (86, 172, 2.0, 3.8),
    "AMD Ryzen 7 9700X": (8, 16, 3.8, 5.5),
    "AMD Ryzen 7 9800X3D": (8, 16, 4.7, 5.2),
    "AMD Ryzen 9 9900X": (12, 24, 4.4, 5.6),
    "AMD Ryzen 9 9950X": (16, 32, 4.3, 5.7),
    "AMD Ryzen 9 9950X3D": (16, 32, 4.3, 5.7),
    "AMD Ryzen Threadripper PRO 7965WX": (24, 48, 4.2, 5.3),
    "AMD Ryzen Threadripper PRO 7975WX": (32, 64, 4.0, 5.3),
    "AMD Ryzen Threadripper PRO 7985WX": (64, 128, 3.2, 5.1),
    "AMD Ryzen Threadripper PRO 7995WX": (96, 192, 2.5, 5.1),
    "AMD Ryzen Threadripper 7960X": (24, 48, 4.2, 5.3),
    "AMD Ryzen Threadripper 7970X": (32, 64, 4.0, 5.3),
    "AMD Ryzen Threadripper 7980X": (64, 128, 3.2, 5.1),
    "Intel Core i9-13900": (24, 32, 2.0, 5.6),
    "Intel Celeron G3900": (2, 2, 2.8, 2.8),
    "Intel Celeron G3930": (2, 2, 2.9, 2.9),
    "Intel Celeron G4900": (2, 2, 3.1, 3.1),
    "Intel Pentium G4400": (2, 2, 3.3, 3.3),
    "Intel Pentium G4560": (2, 4, 3.5, 3.5),
}

# Microarchitecture by model number, first match wins (AMD's and Intel's published
# numbering schemes). EPYC: the last digit of the model is the generation.
MICROARCHITECTURES: tuple[tuple[str, str], ...] = (
    (r"epyc (97.4|8..4)", "Zen 4c"),
    (r"epyc 99.5|epyc 9[78]45", "Zen 5c"),
    (r"epyc 7..1", "Zen"),
    (r"epyc 7..2", "Zen 2"),
    (r"epyc 7..3", "Zen 3"),
    (r"epyc [49]..4|epyc 9v33", "Zen 4"),
    (r"epyc [49]..5", "Zen 5"),
    (r"threadripper (pro )?1", "Zen"),
    (r"threadripper (pro )?2", "Zen+"),
    (r"threadripper (pro )?3", "Zen 2"),
    (r"threadripper (pro )?5", "Zen 3"),
    (r"threadripper (pro )?7", "Zen 4"),
    (r"threadripper (pro )?9", "Zen 5"),
    (r"ryzen . (pro )?1\d|ryzen . (pro )?2\d\d\dg", "Zen"),
    (r"ryzen . (pro )?2\d|ryzen . (pro )?3\d\d\dg", "Zen+"),
    (r"ryzen . (pro )?[34]\d", "Zen 2"),
    (r"ryzen . (pro )?5\d", "Zen 3"),
    (r"ryzen . (pro )?(6\d|7\d3)", "Zen 3+"),
    (r"ryzen . (pro )?[78]\d|ryzen 9 8[89]\d", "Zen 4"),
    (r"ryzen . (pro )?9\d", "Zen 5"),
    (r"xeon e[35] \d{4}\w* v2", "Ivy Bridge"),
    (r"xeon e[35] \d{4}\w* v3", "Haswell"),
    (r"xeon e[35] \d{4}\w* v4", "Broadwell"),
    (r"xeon e3 \d{4}\w* v5", "Skylake"),
    (r"xeon e3 \d{4}\w* v6", "Kaby Lake"),
    (r"xeon e[35] \d{4}\w*$", "Sandy Bridge"),
    (r"xeon (gold|platinum) (53|63|83)\d\dhl?$", "Cooper Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d1|xeon platinum p 81", "Skylake"),
    (r"xeon (bronze|silver|gold|platinum) \d2", "Cascade Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d3", "Ice Lake"),
    (r"xeon (bronze|silver|gold|platinum) \d4|xeon max", "Sapphire Rapids"),
    (r"xeon (bronze|silver|gold|platinum) \d5", "Emerald Rapids"),
    (r"xeon 6[79]\d\de", "Sierra Forest"),
    (r"xeon 6[579]\d\dp", "Granite Rapids"),
    (r"xeon 63\d\dp|xeon e 24", "Raptor Lake"),
    (r"xeon w[3579] ", "Sapphire Rapids"),
    (r"xeon w (21|31)", "Skylake"),
    (r"xeon w (22|32)", "Cascade Lake"),
    (r"xeon w 33", "Ice Lake"),
    (r"xeon w 1[02]", "Comet Lake"),
    (r"xeon w 13|xeon e 23", "Rocket Lake"),
    (r"xeon e 2[12]", "Coffee Lake"),
    (r"core i. (38|39|2)\d|core i. 2", "Sandy Bridge"),
    (r"core i. (48|49)\d\dk|core i. 3", "Ivy Bridge"),
    (r"core i. (58|59)\d\d|core i. 4", "Haswell"),
    (r"core i. (68|69)\d\d|core i. 5", "Broadwell"),
    (r"core i. (78|79|98|99)\d\dxe?$|core i. 6|celeron g390|pentium g44", "Skylake"),
    (r"core i. 7|celeron g393|pentium g456", "Kaby Lake"),
    (r"core i. [89]|celeron g49", "Coffee Lake"),
    (r"core i. 10\d{3}xe?$", "Cascade Lake"),
    (r"core i. 10", "Comet Lake"),
    (r"core i. 11\d{3}h", "Tiger Lake"),
    (r"core i. 11", "Rocket Lake"),
    (r"core i. 12", "Alder Lake"),
    (r"core i. 1[34]", "Raptor Lake"),
    (r"core ultra . 1", "Meteor Lake"),
    (r"core ultra . 2", "Arrow Lake"),
)

SEGMENTS: tuple[tuple[str, str], ...] = (
    (r"threadripper|xeon w|core i[79] \d{4,5}xe?$|xeon e5 1", "workstation"),
    (r"epyc|xeon", "server"),
    (r".*\d(h|hs|hx|hx3d|hk|u)$", "laptop"),
    (r"", "desktop"),
)

# ln PassMark = a + b ln Geekbench 6, both single-thread, fitted on the CPUs that
# have both (feasibility study on published figures, November 2026).
BRIDGE = (2.302, 0.759)

# A score whose rate per GHz of boost is off the median of its microarchitecture by
# more than this factor is a slip or a throttled host, not the chip. Within one
# microarchitecture the rates have a log-sd of 0.03 to 0.10.
PLAUSIBLE_FACTOR = 1.35
LEAST_OF_A_KIND = 4


def compile_cpus(raw: pd.DataFrame) -> tuple[list[Cpu], Counter[str]]:
    """Return the table's rows, sorted by key, and what was left out, by reason."""
    excluded: Counter[str] = Counter()
    rows: dict[str, Cpu] = {}
    for record in raw.to_dict("records"):
        name = re.sub(r"\s*@.*", "", str(record["cpu_name"])).strip()
        key = cpu_key(name)
        if not CHOSEN.fullmatch(key):
            excluded["not of the chosen kinds"] += 1
        elif key in rows:
            excluded["listed twice"] += 1
        else:
            rows[key] = _cpu(name, key, record)
    for name, facts in BY_HAND.items():
        key = cpu_key(name)
        rows[key] = _corrected(name, key, facts, rows.get(key))
    medians = _points_per_ghz(rows.values())
    scored = [_with_score(cpu, medians) for cpu in rows.values()]
    kept = [cpu for cpu in scored if not math.isnan(cpu.single_thread_score)]
    excluded["neither score nor clock"] = len(scored) - len(kept)
    return sorted(kept, key=lambda cpu: cpu.key), excluded


def _cpu(name: str, key: str, record: Mapping[Any, Any]) -> Cpu:
    """Clean one row of the raw table."""
    number = {
        column: float(record[column])
        for column in (
            "cores",
            "threads",
            "base_ghz",
            "boost_ghz",
            "year",
            "l3_mb",
            "passmark_single",
            "geekbench6_single",
        )
    }
    slice_of_a_host = number["cores"] < 4 and re.match(r"xeon (g|p|m)", key)
    score, basis = _score(number["passmark_single"], number["geekbench6_single"])
    base = number["base_ghz"] if number["base_ghz"] >= 0.8 else math.nan
    return Cpu(
        name=name,
        key=key,
        cores=math.nan if slice_of_a_host else number["cores"],
        threads=math.nan if slice_of_a_host else number["threads"],
        base_ghz=base,
        boost_ghz=number["boost_ghz"],
        year=number["year"],
        microarchitecture=_by_rule(key, MICROARCHITECTURES) or _text(record["microarch"]),
        segment=_by_rule(key, SEGMENTS),
        pcie_gen=_leading_number(record["pcie_version"]),
        l3_mb=number["l3_mb"],
        single_thread_score=score,
        score_basis=basis,
        class_score=math.nan,
        source=_repositories(_text(record["source"])),
    )


def _leading_number(value: object) -> float:
    """Return 5 of "5.0 and 4.0": the newest generation stands first."""
    found = re.match(r"[\d.]+", str(value))
    return float(found.group()) if found else math.nan


def _score(passmark: float, geekbench6: float) -> tuple[float, str]:
    if not math.isnan(passmark):
        return passmark, "passmark"
    if not math.isnan(geekbench6):
        intercept, slope = BRIDGE
        return round(math.exp(intercept + slope * math.log(geekbench6))), "geekbench6"
    return math.nan, ""


def _corrected(
    name: str, key: str, facts: tuple[float, float, float, float], known: Cpu | None
) -> Cpu:
    """Return the row with the facts written down by hand, the rest as known."""
    cores, threads, base, boost = facts
    source = "vendor's product page, by hand: cores, threads, clocks"
    if known is not None:
        source = f"{known.source}; {source}"
    return Cpu(
        name=name,
        key=key,
        cores=cores,
        threads=threads,
        base_ghz=base,
        boost_ghz=boost,
        year=known.year if known else math.nan,
        microarchitecture=_by_rule(key, MICROARCHITECTURES),
        segment=_by_rule(key, SEGMENTS),
        pcie_gen=known.pcie_gen if known else math.nan,
        l3_mb=known.l3_mb if known else math.nan,
        single_thread_score=known.single_thread_score if known else math.nan,
        score_basis=known.score_basis if known else "",
        class_score=math.nan,
        source=source,
    )


def _by_rule(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    return next((value for pattern, value in rules if re.match(pattern, key)), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _repositories(source: str) -> str:
    """Return the repositories of a raw source, without the paths in them."""
    return "; ".join(dict.fromkeys(re.findall(r"[\w.-]+/[\w.-]+@\w+", source)))


def _points_per_ghz(cpus: Iterable[Cpu]) -> dict[str, float]:
    """Return the median score per GHz of boost of each microarchitecture."""
    rates: dict[str, list[float]] = {}
    for cpu in cpus:
        rate = cpu.single_thread_score / cpu.boost_ghz
        if not math.isnan(rate):
            rates.setdefault(cpu.microarchitecture, []).append(rate)
    return {
        name: float(np.median(of_kind))
        for name, of_kind in rates.items()
        if name and len(of_kind) >= LEAST_OF_A_KIND
    }


def _with_score(cpu: Cpu, medians: Mapping[str, float]) -> Cpu:
    """Add the score of the microarchitecture, in place of one missing or wild too."""
    expected = medians.get(cpu.microarchitecture, math.nan) * cpu.boost_ghz
    if math.isnan(expected):
        return cpu
    cpu = replace(cpu, class_score=round(expected))
    off = abs(math.log(cpu.single_thread_score / expected))
    if off <= math.log(PLAUSIBLE_FACTOR):
        return cpu
    if not math.isnan(off):
        print(f"{cpu.name}: score {cpu.single_thread_score:g}, expected {expected:.0f}")
    return replace(
        cpu,
        single_thread_score=round(expected),
        score_basis="microarchitecture",
        source=f"{cpu.source}; score by microarchitecture",
    )
