"""What each part of a healthy machine does: medians, and how far machines differ.

``components.csv`` has a row for a component of a thing: a GPU of the table, a kind of
board, a generation of PCIe. A bench is judged against it. Two spreads stand beside each
median. ``host_log_sd`` is how far healthy machines with the same thing differ: it is
computed from things that were measured on several machines. ``level_log_sd`` is how well
the median itself is known: that few measured it, by other programs than our bench, or,
where nobody did, how far the things of its kind differ. Sick machines are in the sources
as well: what lies further from the median of its thing than `SICK` says nothing of how
far healthy ones differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from advisor.hardware.boards import LAPTOP, board
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.hardware.machines import PCIE_GB_S_PER_LANE
from compile_gpus import MATMUL_RATES, matmul_rows, read_gpus
from compile_offers import OFFERS, machines, with_gpus
from sources import Texts, csv_text, read

TABLE = "advisor/measure/data/components.csv"

SICK = 0.2
"""Distance of a logarithm from the median of its thing beyond which a machine is not
healthy: 18 % below. Of 109 matrix rates of cards that three machines or more measured,
three lie further off, all of one RTX 3080 (at 39 % in BF16)."""

LEAST_CARDS = 3
"""Cards of a kind from which their spread is computed."""

LEAST_LEVEL = 0.05
"""Least log-sd of a level that was measured on other cards of the kind alone."""

CORES = 0.05
"""Log-sd between machines of what a core does that shares with no other thread, given
its speed (assumption, as `CpuConstants.whole_core_log_sd`)."""

PROTOCOL = {"matmul": 0.04, "bandwidth": 0.08, "h2d.pinned": 0.05}
"""Component -> log-sd between programs that measure it on one card. Products: one shape
beside the best of many, BF16 on H100, H200, B200 and two A100 (0.005 to 0.08, root mean
square 0.04). Bandwidth: the market's figure, copies of CUDA's samples and our own
elementwise kernels (RTX 4090 0.87 and 0.91 of the data sheet, V100 0.82 and 0.87, A100
0.75 and 0.82, H100 0.75 and 0.88). Copies: 0.76 to 0.84 of the link with one program on
the eight cards of a host, assumed between programs."""

LANES = 16
MARKET = "Vast.ai public offers, June to September 2026"


def build() -> Texts:
    """Return the table."""
    rows = [*_matmul(), *_bandwidth(), *_copies(), *_cores()]
    return {TABLE: csv_text(pd.DataFrame(rows), digits=4)}


def spread(rows: pd.DataFrame, of: str, column: str) -> float:
    """Return the log-sd of healthy machines about the median of their thing.

    Parameters
    ----------
    rows : one machine each
    of : column with the thing's name
    column : the figure
    """
    logs = np.log(rows[column].dropna())
    things = rows.loc[logs.index, of]
    off = logs - logs.groupby(things).transform("median")
    several = things.map(things.value_counts()).ge(LEAST_CARDS)
    healthy = off[several & off.abs().lt(SICK)]
    free = len(healthy) - things[healthy.index].nunique()
    return float(np.sqrt((healthy**2).sum() / free))


def _row(component: str, of: str, rows: pd.Series, host: float, **more: Any) -> dict:
    """Return the row of one thing, whose figures `rows` has, one per machine."""
    kind = component if component in PROTOCOL else component.partition(".")[0]
    level = np.hypot(PROTOCOL[kind], host / np.sqrt(len(rows)))
    return {
        "component": component,
        "of": of,
        "value": rows.median(),
        "unit": more["unit"],
        "level_log_sd": more.get("level", level),
        "host_log_sd": host,
        "measurements": len(rows),
        "source": more["source"],
    }


def _sources(rows: pd.DataFrame) -> str:
    return "; ".join(sorted(set(rows["source"])))


def _matmul() -> Iterator[dict]:
    """Yield the rates of matrix products: of cards, then of kinds of board as shares.

    How far machines differ is taken to be the same in all precisions: few cards were
    measured several times in each.
    """
    gpus = load_gpus()
    measured, _ = matmul_rows(read_gpus(), read("gpu_matmul.csv"))
    each = measured.melt(["gpu_name", "source"], list(MATMUL_RATES), "rate", "tflops")
    each = each.dropna().assign(
        precision=lambda rows: rows["rate"].str.partition("_")[0],
        kind=lambda rows: [board(gpus[name]) for name in rows["gpu_name"]],
        thing=lambda rows: rows["gpu_name"] + rows["rate"],
    )
    laptop = each["kind"].str.startswith(LAPTOP)
    host = {True: spread(each[laptop], "thing", "tflops")}
    host[False] = spread(each[~laptop], "thing", "tflops")
    for precision, rows in each.groupby("precision", sort=False):
        name = f"matmul.{precision}"
        for card, of_card in rows.groupby("gpu_name"):
            yield _row(
                name,
                str(card),
                of_card["tflops"],
                host[board(gpus[str(card)]).startswith(LAPTOP)],
                unit="TFLOP/s",
                source=_sources(of_card),
            )
        yield from _shares(name, rows, gpus, f"{precision}_tflops", host)


def _shares(
    name: str,
    rows: pd.DataFrame,
    gpus: GpuTable,
    nominal: str,
    host: Mapping[bool, float],
) -> Iterator[dict]:
    """Yield what kinds of board reach of the data sheet: for cards nobody measured."""
    cards = rows.groupby("gpu_name")["tflops"].median()
    shares = pd.DataFrame(
        {
            "share": cards / [getattr(gpus[str(card)], nominal) for card in cards.index],
            "kind": [board(gpus[str(card)]) for card in cards.index],
            "architecture": [gpus[str(card)].architecture for card in cards.index],
        }
    ).dropna()
    both = shares["architecture"] + ", " + shares["kind"]
    for key in (both, shares["kind"]):
        for of, group in shares.groupby(key):
            if len(group) < LEAST_CARDS:
                continue
            yield _row(
                name,
                str(of),
                group["share"],
                host[LAPTOP in str(of)],
                unit="of the data sheet",
                level=max(float(np.log(group["share"]).std()), LEAST_LEVEL),
                source="the cards of this kind above",
            )


def _bandwidth() -> Iterator[dict]:
    """Yield bandwidths of the cards' own memory, as shares of the data sheet.

    Each source has one vote, and so has the market, whose median stands for its machines.
    """
    gpus = load_gpus()
    offers = with_gpus(read(OFFERS), gpus)
    offers = offers[offers["gpu_mem_bw"].gt(0) & offers["gpu"].notna()]
    offers = offers.assign(machine=machines(offers)).drop_duplicates("machine")
    market = offers.assign(share=offers["gpu_mem_bw"] / _nominal(offers["gpu"], gpus))
    host = spread(market, "gpu", "share")
    voted = market.groupby("gpu")["share"].agg(["median", "size"])
    voted = voted[voted["size"].ge(LEAST_CARDS)]
    others = read("gpu_rates.csv")
    others = others[others["component"].eq("bandwidth")]
    share = others["value"] / _nominal(others["gpu_name"], gpus)
    rows = pd.concat(
        [
            pd.DataFrame(
                {"gpu": voted.index, "share": voted["median"], "source": MARKET}
            ),
            pd.DataFrame(
                {
                    "gpu": others["gpu_name"],
                    "share": share,
                    "source": others["source"] + ":" + others["source_path"],
                }
            ),
        ],
        ignore_index=True,
    )
    for card, of_card in rows.groupby("gpu"):
        values = of_card["share"] * gpus[str(card)].memory_bandwidth_gb_s
        yield _row(
            "bandwidth", str(card), values, host, unit="GB/s", source=_sources(of_card)
        )
    cards = rows.groupby("gpu")["share"].median()
    yield _row(
        "bandwidth",
        "any card",
        cards,
        host,
        unit="of the data sheet",
        level=float(np.log(cards).std()),
        source="the cards above",
    )


def _nominal(names: pd.Series, gpus: GpuTable) -> list[float]:
    return [gpus[str(name)].memory_bandwidth_gb_s for name in names]


def _copies() -> Iterator[dict]:
    """Yield what copies from pinned memory reach of links of 16 lanes.

    Hosts that state a generation and reach half of it have a slower slot: they are what
    a bench is to find, and say nothing of healthy ones.
    """
    gpus = load_gpus()
    offers = read(OFFERS)
    offers = offers[offers["pcie_bw"].gt(0) & offers["gpu_lanes"].eq(LANES)]
    offers = offers.assign(machine=machines(offers)).drop_duplicates("machine")
    others = read("gpu_rates.csv")
    others = others[others["component"].eq("h2d.pinned")]
    rows = pd.DataFrame(
        {
            "generation": [
                *offers["pci_gen"],
                *(gpus[name].pcie_gen for name in others["gpu_name"]),
            ],
            "gb_s": [*offers["pcie_bw"], *others["value"]],
            "source": [
                *(MARKET for _ in range(len(offers))),
                *(others["source"] + ":" + others["source_path"]),
            ],
        }
    ).dropna()
    per_lane = rows["generation"].astype(int).map(dict(enumerate(PCIE_GB_S_PER_LANE, 1)))
    rows = rows.assign(share=rows["gb_s"] / (LANES * per_lane), link="any")
    healthy = rows[rows["share"].gt(0.55)]
    host = spread(healthy, "generation", "share")
    yield _row(
        "h2d.pinned",
        "any link",
        healthy["share"],
        host,
        unit="of the link",
        source=_sources(healthy),
    )


def _cores() -> Iterator[dict]:
    """Yield what a core of speed 1 does, of the programs in our own bench.

    Their level hangs on how well the speed of the cores is known that ran them.
    """
    rates = read("core_rates.csv")
    rates = rates.assign(rate=rates["value"] / rates["core_speed"])
    for name, rows in rates.groupby("component", sort=False):
        spreads = np.hypot(rows["core_speed_log_sd"], rows["log_sd"])
        yield {
            "component": name,
            "of": "core of speed 1",
            "value": rows["rate"].median(),
            "unit": rows["unit"].iloc[0],
            "level_log_sd": float(spreads.mean() / np.sqrt(len(rows))),
            "host_log_sd": CORES,
            "measurements": len(rows),
            "source": "; ".join(sorted(set(rows["source"]))),
        }
