"""Hand the chosen offer's constraints over to SkyPilot or dstack, as a task file.

    advisor rank --workload resnet50 --json |
        python handover.py --for skypilot -- python train.py --epochs 90 >task.yaml
    sky launch task.yaml

Or `--for dstack` and `dstack apply -f task.dstack.yml`. They rent what is like the offer;
stderr says what they cannot be told. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any

USAGE, NOTHING_FITS = 2, 3  # as 'advisor' exits

# SkyPilot's catalog of Vast.ai drops form factor and suffix, dstack's keeps most.
SKYPILOT_NAMES = {
    "TeslaV100": "V100",
    "TeslaT4": "T4",
    "TeslaP100": "P100",
    "QRTX6000": "RTX6000",
    "QRTX8000": "RTX8000",
}

NEITHER = "the exact machine", "the CPU model", "host memory (no ranking has it)"
SKYPILOT_LACKS = (
    "GPU memory, and what its GPU names drop (Ti, S, SXM, PCIE, NVL)",
    "a bound on the real price: max_hourly_cost is compared with its own catalog",
    "CPUs of the offer alone: it counts those of the whole machine",
)
DSTACK_LACKS = ("which A100 or H100: it has one name for PCIE and SXM",)
DSTACK_NO_SPOT = "interruptible: its backend vastai lists on-demand offers alone"


def skypilot_gpu(name: str) -> str:
    """Return how SkyPilot's catalog spells a GPU of Vast.ai."""
    name = name.replace(" ", "").replace("Ada", "-Ada")
    name = re.sub(r"(Ti|PCIE|SXM4|SXM|NVL)$", "", name)
    name = re.sub(r"^(RTX\d0\d0)[SD]$", r"\1", name)
    return SKYPILOT_NAMES.get(name, name)


def dstack_gpu(name: str) -> str:
    """Return how dstack's catalog spells a GPU of Vast.ai."""
    name = name.replace("RTX A", "A").replace("Tesla ", "")
    if name.startswith("A100 ") or (name.startswith("H100 ") and "NVL" not in name):
        return name.split()[0]
    return name.replace(" ", "")


def usd_per_hour(offer: dict[str, Any]) -> float:
    """Return what an hour costs, the disk included, in whole cents."""
    disk_share = offer["epoch_storage_usd"] / offer["epoch_rent_usd"]
    cents: int = math.ceil(offer["usd_per_hour"] * (1.0 + disk_share) * 100.0)
    return cents / 100.0


def name_of(job: dict[str, Any]) -> str:
    """Return a name that both tools take."""
    return ("train-" + re.sub(r"[^a-z0-9]+", "-", job["name"].lower()))[:40].rstrip("-")


def whole(number: float | None) -> int:
    """Return a lower bound, 0 where nobody knows."""
    return math.floor(number or 0.0)


def skypilot(offer: dict[str, Any], job: dict[str, Any], command: str) -> list[str]:
    """Return the lines of a SkyPilot task."""
    gpus = f"{skypilot_gpu(offer['gpu_name'])}:{offer['num_gpus']}"
    cpus = whole(offer["cpu_cores"])
    return [
        f"name: {name_of(job)}",
        "resources:",
        "  infra: vast",
        f"  accelerators: {text(gpus)}",
        *([f"  cpus: {text(f'{cpus}+')}"] if cpus else []),
        f"  disk_size: {math.ceil(job['disk_gb'])}",
        f"  use_spot: {yes_or_no(job['rental'] == 'interruptible')}",
        f"  max_hourly_cost: {usd_per_hour(offer)}",
        f"run: {text(command)}",
    ]


def dstack(offer: dict[str, Any], job: dict[str, Any], command: str) -> list[str]:
    """Return the lines of a dstack task."""
    # What the model needs and what it leaves is what a GPU has for it.
    memory_gb = offer["memory_gb"] + offer["memory_margin_gb"]
    cpus, memory_gib = whole(offer["cpu_cores"]), whole(memory_gb * 1e9 / 2**30)
    disk_gb = math.ceil(job["disk_gb"])
    spot = job["rental"] == "interruptible"
    return [
        "type: task",
        f"name: {name_of(job)}",
        f"commands: [{text(command)}]",
        "backends: [vastai]",
        "resources:",
        *([f"  cpu: {text(f'{cpus}..')}"] if cpus else []),
        f"  disk: {text(f'{disk_gb}GB..')}",
        "  gpu:",
        f"    name: {text(dstack_gpu(offer['gpu_name']))}",
        f"    count: {offer['num_gpus']}",
        f"    memory: {text(f'{memory_gib}GB..')}",
        f"spot_policy: {'spot' if spot else 'on-demand'}",
        f"max_price: {usd_per_hour(offer)}",
    ]


def text(value: str) -> str:
    """Return a string of YAML, which a string of JSON is."""
    return json.dumps(value, ensure_ascii=False)


def yes_or_no(value: bool) -> str:
    """Return a truth value of YAML."""
    return "true" if value else "false"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the task file to stdout."""
    parser = argparse.ArgumentParser(description="Hand an offer over to another tool.")
    parser.add_argument(
        "--for", dest="tool", choices=["skypilot", "dstack"], required=True
    )
    parser.add_argument("--rank", type=int, default=1, help="which offer (default: best)")
    parser.add_argument("command", nargs="+", help="after --: what the task runs")
    args = parser.parse_args(argv)
    try:
        document = json.load(sys.stdin)
        offers, job = document["offers"], document["workload"]
    except (ValueError, KeyError, TypeError):
        print("handover: pipe 'advisor rank --json' in here", file=sys.stderr)
        return USAGE
    offer = next((one for one in offers if one["rank"] == args.rank), None)
    if offer is None:
        print(f"handover: the ranking has no offer {args.rank}", file=sys.stderr)
        return NOTHING_FITS
    command = shlex.join(args.command)
    if args.tool == "skypilot":
        lines, lacks = skypilot(offer, job, command), [*NEITHER, *SKYPILOT_LACKS]
    else:
        lines, lacks = dstack(offer, job, command), [*NEITHER, *DSTACK_LACKS]
        if job["rental"] == "interruptible":
            lacks.append(DSTACK_NO_SPOT)
    print("\n".join(lines))
    print(f"handover: {args.tool} does not get:", file=sys.stderr)
    for lack in lacks:
        print(f"  {lack}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
