"""What the templates of a page show of its data, as texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.base.figures import figure
from advisor.report.page.columns import decoded
from advisor.report.page.specs import HUES, SHAPES

FIRST_ROWS = 25
"""Rows of the table that are there before any script runs."""

HEADS: tuple[tuple[str, str, str], ...] = (
    ("rank", "#", "number"),
    ("offer_id", "Offer", ""),
    ("gpu_name", "GPU", ""),
    ("epoch_usd", "$/epoch", "number"),
    ("epoch_hours", "Time/epoch", "number"),
    ("job_usd", "Job $", "number wide"),
    ("job_hours", "Job time", "number wide"),
    ("usd_per_hour", "$/h", "number"),
    ("cpu", "CPU", "wide"),
    ("cpu_cores", "Threads", "number wide"),
    ("bound_by", "Bound by", ""),
    ("gpu_waits", "GPU waits", "number wide"),
    ("geolocation", "Place", "wide"),
    ("reliability", "Reliability", "number wide"),
    ("notes", "Notes", "wide"),
)
"""Columns of the table: key of the data, head, classes of its cells."""


def view_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the templates need beside the data themselves."""
    columns = data["columns"]
    titles = {one["name"]: _bare(one["title"]) for one in data["limits"]}
    return {
        "answer": (data["answer"] or {"text": ""})["text"].partition("; "),
        "heads": HEADS,
        "rows": [
            _row(columns, titles, row) for row in range(min(FIRST_ROWS, data["count"]))
        ],
        "tiles": _tiles(data) if data["count"] else [],
        "choices": {
            "gpu": _choices(columns["gpu_name"]),
            "count": _choices(columns["num_gpus"]),
            "region": _choices(columns["region"]),
            "bound": [(name, titles[name]) for name, _ in _choices(columns["bound_by"])],
        },
        "legend": [
            (1 + at % len(HUES), SHAPES[at % len(SHAPES)], titles[name])
            for at, name in enumerate(titles)
            if name in columns["bound_by"]["values"]
        ],
        "assumed": [
            {"name": name, **one, "value": f"{one['value']:g}"}
            for name, one in data["assumptions"].items()
            if name in data["changeable"]
        ],
        "of_model": [
            {"name": name, **one, "value": f"{one['value']:g}"}
            for name, one in data["assumptions"].items()
            if name not in data["changeable"]
        ],
    }


def _tiles(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, figure and remark of what is known of the best offer."""
    columns = data["columns"]

    def best(name: str) -> Any:
        return decoded(columns[name], 0)

    usual = "{} to {} in nine cases of ten"
    cost = usual.format(usd(best("epoch_usd_low")), usd(best("epoch_usd_high")))
    took = usual.format(time(best("epoch_hours_low")), time(best("epoch_hours_high")))
    whole = f"{time(best('job_hours'))} from rent to last checkpoint"
    hourly = f"{price(best('usd_per_hour'))}/h"
    return [
        ("Cost per epoch", usd(best("epoch_usd")), cost),
        ("Time per epoch", time(best("epoch_hours")), took),
        ("Whole job", usd(best("job_usd")), whole),
        ("Price", hourly, "with the disk that the job needs"),
        *_sureness(data),
    ]


def _sureness(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield how sure it is that the best offer costs least, where that is the order."""
    columns = data["columns"]
    chance = columns["first_cheaper"][1] if data["count"] > 1 else None
    if chance is None:
        return
    tied = columns["tied_with"]
    leader = columns["offer_id"][0]
    ties = sum(tied["values"][code] == leader for code in tied["codes"])
    others = "" if not ties else f"; {ties} cannot be told from it"
    yield ("Sure of the order", percent(chance), f"cheaper than the second{others}")


def _row(
    columns: Mapping[str, Any], titles: Mapping[str, str], row: int
) -> dict[str, Any]:
    """Return the cells of a row, as `table.js` makes them."""
    one = {name: decoded(column, row) for name, column in columns.items()}
    return {
        "rank": row + 1,
        "tied_with": one["tied_with"],
        "offer_id": one["offer_id"],
        "num_gpus": one["num_gpus"],
        "gpu": one["gpu_name"] or "unknown",
        "epoch_usd": usd(one["epoch_usd"]),
        "epoch_time": time(one["epoch_hours"]),
        "job_usd": usd(one["job_usd"]),
        "job_time": time(one["job_hours"]),
        "usd_per_hour": price(one["usd_per_hour"]),
        "cpu": one["cpu"] or "unknown",
        "threads": figure(one["cpu_cores"], 3),
        "bound_by": titles.get(one["bound_by"], one["bound_by"]),
        "gpu_waits": percent(one["gpu_waits"]),
        "place": one["geolocation"] or "unknown",
        "reliability": percent(one["reliability"]),
        "notes": one["notes"],
    }


def _choices(column: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return the values of a coded column with their names; one must have a name."""
    found = [value for value in column["values"] if value not in (None, "")]
    return [(value, str(value).replace("-", " ")) for value in sorted(found)]


def _bare(title: str) -> str:
    return title.removeprefix("the ")


def usd(value: float | None) -> str:
    """Return dollars as `figures.js` has them."""
    if value is None:
        return "?"
    return f"${value:,.{4 if 0.0 < value < 1.0 else 2}f}"


def price(value: float | None) -> str:
    """Return dollars per hour as `figures.js` has them."""
    return "?" if value is None else f"${value:.3f}"


def time(hours: float | None) -> str:
    """Return a time as `figures.js` has it."""
    if hours is None:
        return "?"
    if hours >= 48.0:  # divided as there: 53.4 h times 1/24 would be 2.22 d, not 2.23
        return f"{figure(hours / 24.0, 3)} d"
    if hours >= 1.0:
        return f"{figure(hours, 3)} h"
    if hours * 60.0 >= 1.0:
        return f"{figure(hours * 60.0, 3)} min"
    return f"{figure(hours * 3600.0, 3)} s"


def percent(share: float | None) -> str:
    """Return a share as `figures.js` has it."""
    return "?" if share is None else f"{round(100.0 * share, 1):g} %"


def rate(samples_per_s: float | None) -> str:
    """Return a throughput for people."""
    return "?" if samples_per_s is None else f"{figure(samples_per_s, 3)} samples/s"
