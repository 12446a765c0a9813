"""Offers at the top of each profile's ranking that cannot run the image they come with.

Each row is judged anew from the raw record, by a plain reading of the published table of
builds: has the image code for the card, does the driver run its CUDA, is it built for the
CPU, does the host hold the weights that it has to load. Beside it the same ranking by
cost alone, under one image for every card (``--fixed``), as a launcher has it that does
not look. Exit code 1 if any row under the chosen images cannot run.

    python benchmarks/image_fit.py [FILE ...] [--top 20] [--fixed IMAGE]
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

import advisor.software
from advisor.base.errors import AdvisorError
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import Job, needed_disk_gb
from advisor.hardware.gpus import GpuTable
from advisor.market.filters import Filters
from advisor.market.snapshot import load_snapshot
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.software.image import Image
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import list_workloads
from advisor.workloads.profile import Workload

SAMPLE = Path(__file__).parents[1] / "fixtures" / "sample-market.json.gz"
FIXED = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
LEAST_DRIVER = {11: (450, 80), 12: (525, 60), 13: (580, 0)}
_BUILDS = Path(advisor.software.__file__).with_name("data") / "pytorch_builds.csv"
_TAG = re.compile(r"pytorch/pytorch:(\d+\.\d+)\.\d+-cuda(\d+\.\d+)-.+")


@dataclass(frozen=True)
class Build:
    """What an image has GPU code for, by the table's own row."""

    cuda_major: int
    archs: list[str]

    @classmethod
    def of(cls, image: str) -> Build:
        """Return the build in an image of PyTorch's own."""
        match = _TAG.fullmatch(image)
        if match is None:
            sys.exit(f"{image}: only images of pytorch/pytorch can be judged here")
        with _BUILDS.open(newline="", encoding="utf-8") as file:
            (row,) = (
                row
                for row in csv.DictReader(file)
                if (row["pytorch"], row["cuda"]) == match.groups()
            )
        return cls(int(match[2].split(".")[0]), row["archs_amd64"].split(";"))

    def serves(self, capability: float) -> bool:
        """Tell whether a card runs code of the same major or later, or PTX."""
        major, minor = divmod(round(capability * 10), 10)
        for arch in self.archs:
            own = arch.removesuffix("+PTX").split(".")
            built = int(own[0]), int(own[1])
            if built[0] == major and built[1] <= minor:
                return True
            if arch.endswith("+PTX") and built <= (major, minor):
                return True
        return False


def wrong(
    record: Mapping[str, Any], image: str, workload: Workload, gpus: GpuTable
) -> str:
    """Return why the machine of a record cannot run a job, ``""`` if nothing shows."""
    build = Build.of(image)
    gpu = gpus.resolve(str(record["gpu_name"]), float(record["gpu_ram"]))
    told = record.get("compute_cap")
    capability = float(told) / 100 if told else gpu.compute_capability if gpu else None
    version = re.match(r"(\d+)\.(\d+)", str(record.get("driver_version") or ""))
    least = LEAST_DRIVER[build.cuda_major]
    trained_gb = workload.trainable_parameters_m * 4.0 / 1e3
    frozen_m = workload.parameters_m - workload.trainable_parameters_m
    weights_gb = trained_gb + frozen_m * workload.weight_bytes_per_parameter / 1e3
    ram_gb = float(record.get("cpu_ram") or "inf") / 1e3  # of the offer's share
    checks = {
        "maker": (record.get("gpu_arch") or "nvidia") != "nvidia"
        or (gpu is not None and gpu.vendor.lower() != "nvidia"),
        "CPU": (record.get("cpu_arch") or "amd64") not in ("amd64", "x86_64"),
        "GPU code": capability is not None and not build.serves(capability),
        "driver": (version is not None and (int(version[1]), int(version[2])) < least)
        or float(record.get("cuda_max_good") or 99.0) < build.cuda_major,
        "host RAM": workload.loading == "whole" and weights_gb > ram_gb,
    }
    return ", ".join(name for name, holds in checks.items() if holds)


def judged(
    ranking: Ranking, records: Mapping[int, Any], top: int, image: str = ""
) -> list[str]:
    """Return what is wrong with each of the first rows, under one image or its own."""
    found = []
    for at in ranking.order[:top].tolist():
        record = records[int(ranking.offers.offer_id[at])]
        rented = image or str(ranking.software.image[at])
        gpus = ranking.tables.gpus
        found.append(wrong(record, rented, ranking.job.workload, gpus))
    return found


def counted(
    records: Sequence[Any],
    tables: Tables,
    profiles: Sequence[Workload],
    top: int,
    fixed: str,
) -> tuple[Counter[str], Counter[str]]:
    """Return counts over profiles: under the images chosen, and under a fixed one.

    Under the fixed one nothing is known of it, and the host's memory always suffices.
    """
    by_id = {int(record["id"]): record for record in records}
    chosen, careless = Counter[str](), Counter[str]()
    for workload in profiles:
        job = Job(workload, workload.epochs, needed_disk_gb(workload, Assumptions()))
        add(chosen, judged(rank(records, job, tables, Filters()), by_id, top))
        unaware = replace(workload, host_ram_gb=1e-3)
        other = replace(job, workload=unaware, images=(Image(fixed),))
        ranking = rank(records, other, tables, Filters())
        add(careless, judged(replace(ranking, job=job), by_id, top, fixed))
    return chosen, careless


def add(counts: Counter[str], verdicts: list[str]) -> None:
    """Count the first rows of one profile."""
    counts["profiles"] += bool(verdicts)
    counts["rows"] += len(verdicts)
    counts["first"] += bool(verdicts and verdicts[0])
    counts["cannot"] += sum(map(bool, verdicts))
    counts.update(f"why: {verdict}" for verdict in verdicts if verdict)


def main() -> None:
    """Print counts for each listing; exit with 1 if an offer that is ranked cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--fixed", default=FIXED, metavar="IMAGE")
    options = parser.parse_args()
    tables, rows, failed = load_tables(), [], 0
    for path in options.files or [SAMPLE]:
        try:
            records = load_snapshot(path).records
        except AdvisorError as error:
            sys.exit(str(error))
        profiles = list_workloads()
        both = counted(records, tables, profiles, options.top, options.fixed)
        failed += both[0]["cannot"]
        for title, counts in zip(("chosen", options.fixed), both, strict=True):
            why = [name for name in counts if name.startswith("why: ")]
            told = ", ".join(f"{name[5:]} {counts[name]}" for name in why)
            figures = (counts[key] for key in ("profiles", "first", "rows", "cannot"))
            rows.append((path.name, title, *figures, told))
    heads = ("listing", "image", "profiles", "first cannot", "rows", "cannot", "why")
    print(tabulate(rows, heads))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
