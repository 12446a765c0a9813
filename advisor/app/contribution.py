"""What the user measured as rows of the tables that ship: nothing of who measured it.

Rows hold names of hardware and software, figures and the month: no name of a host, no
address, path, key or id, and no profile of the user's own, only the net of the benchmark
table that it refers to.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.app.context import Context
from advisor.base.columns import read_records
from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.cpus import CpuTable, load_cpus
from advisor.hardware.gpus import MATMUL, GpuTable
from advisor.measure.bench import BenchResult, parse_bench
from advisor.store.benches import StoredBench, stored_benches
from advisor.store.database import open_store
from advisor.store.runs import StoredRun, stored_runs
from advisor.throughput.expected import expected_of
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.profile import Workload

Name = Literal["benchmarks", "cpu_decode", "matmul"]
Row = dict[str, str]

OfMachines = dict[tuple[object, ...], list[float]]
"""Identity of a machine -> what its benches show of one thing."""

PROTOCOLS: Mapping[str, str] = {"alone": "advisor-alone", "core": "advisor-crop"}
"""Line of a bench -> protocol of its rate in the table of decode rates: decoding alone,
and with crop, flip and normalization."""

_DECODED = re.compile(
    r"decode\.(?P<library>pillow|opencv|simplejpeg|torchcodec)\.(?P<how>alone|core)"
)
_IMAGES = "images/s"
_RELEASE = r"(\d{1,4}(?:\.\d{1,4}){1,4}(?:(?:a|b|rc|\.post)\d{1,4})?)"
"""Of a version what is published: a label of one's own may tell who built it."""

_VERSION = re.compile(rf"; {_RELEASE}(?:\+\S*)?$", re.ASCII)
_TORCH = re.compile(_RELEASE, re.ASCII)
_PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
_QUALITY: Mapping[str, str] = {"bench": "A", "given": "C"}
"""Reader of a run's evidence -> grade of the row, see ``models/sources/README.md``."""


def shipped(name: Name) -> Path:
    """Return the table that rows of a kind have the form of."""
    return MATMUL if name == "matmul" else models_folder() / f"{name}.csv"


@dataclass(frozen=True, slots=True)
class Contribution:
    """Rows for the shipped tables.

    Attributes
    ----------
    tables : name of a table -> its rows, one at least
    left_out : why records gave none -> how many
    """

    tables: Mapping[Name, Sequence[Row]]
    left_out: Mapping[str, int]


def contribution(context: Context) -> Contribution:
    """Return what the user's records are as rows of the shipped tables.

    Raises
    ------
    UsageError
        if there are no records
    """
    with open_store(context.data_folder) as connection:
        runs, benches = stored_runs(connection), stored_benches(connection)
    if not (runs or benches):
        message = (
            "you have no records yet: 'advisor record' stores a measured run, 'advisor "
            "records add' a bench"
        )
        raise UsageError(message)
    tables = load_tables(context.models)
    known = tables.knowing([one.machine for one in benches])
    left_out = Counter[str]()
    profiles = {one.name: one for one in context.library.all()[0]}
    results = {one.number: parse_bench(one.document) for one in benches}
    rows: dict[Name, list[Row]] = {
        "benchmarks": _benchmarks(runs, profiles, known, results, left_out),
        "cpu_decode": decode_rows(benches, tables.cpus, left_out),
        "matmul": _matmuls(benches, tables.gpus, left_out),
    }
    return Contribution({name: found for name, found in rows.items() if found}, left_out)


def _benchmarks(
    runs: Sequence[StoredRun],
    profiles: Mapping[str, Workload],
    tables: Tables,
    results: Mapping[int, BenchResult],
    left_out: Counter[str],
) -> list[Row]:
    """Return runs as rows: the median of those of one setting."""
    like = {row["workload"]: row for row in read_records(shipped("benchmarks"))}
    settings: dict[tuple[str, ...], list[tuple[Row, float]]] = {}
    for one in runs:
        profile = profiles.get(one.run.workload)
        silent = _why_not(one, profile, like, tables)
        if silent or profile is None:
            left_out[silent] += 1
            continue
        result = results.get(one.run.bench or 0)
        row = _benchmark(one, profile, like[profile.reference.benchmark], result)
        rate = one.run.samples_per_s * profile.reference.benchmark_units_per_sample
        settings.setdefault(tuple(row.values()), []).append((row, rate))
    return [_median(found) for found in settings.values()]


def _why_not(
    stored: StoredRun,
    profile: Workload | None,
    like: Mapping[str, Row],
    tables: Tables,
) -> str:
    """Return why a run is no row, ``""`` where it is one."""
    run = stored.run
    if profile is None:
        return "its profile is gone"
    if profile.reference.benchmark not in like:
        return "its profile refers to no net of the benchmark table"
    if run.precision != profile.precision:
        return "it ran in another precision than its profile"
    if run.gpu not in tables.gpus:
        return "its GPU is in no table"
    of_gpu = expected_of(
        run,
        profile,
        profile,
        model=tables.model,
        gpus=tables.gpus,
        cpus=tables.cpus,
        known=tables.known,
    ).of_gpu
    return "" if of_gpu else "something else than the GPU bound it"


def _benchmark(
    stored: StoredRun, profile: Workload, like: Row, result: BenchResult | None
) -> Row:
    """Return a run as a row, but for its rate."""
    run = stored.run
    reader = str((stored.evidence or {}).get("reader", "given"))
    built = _TORCH.match(result.machine.torch) if result else None
    torch = built[1] if built else ""
    memory_format = profile.reference.memory_format
    row = dict.fromkeys(like, "")
    row |= {name: like[name] for name in ("workload", "task", "family", "unit")}
    row |= {name: like[name] for name in ("params_m", "gmacs")}
    return row | {
        "series": f"advisor/{reader}{f' pytorch-{torch}' if torch else ''}",
        "framework": "pytorch",
        "year": str(stored.at.year),
        "gpu": run.gpu,
        "num_gpus": str(run.num_gpus),
        "precision": run.precision,
        "batch_size": str(run.batch_size),
        "host_bound": "false",
        "cpu_name": _known_cpu(run.cpu),
        "source": _source(reader, stored.at.strftime("%Y-%m")),
        "quality": _QUALITY.get(reader, "B"),
        "file": f"contributed-{stored.at:%Y-%m}",
        "technique": profile.technique,
        "compiled": "compiled" if profile.compiled else "eager",
        "memory_format": "" if memory_format == "n/a" else memory_format,
        "loader": run.loader or profile.loader,
        "framework_version": torch,
        "single_precision": run.precision if run.precision in {"fp32", "tf32"} else "",
    }


def _known_cpu(name: str | None) -> str:
    """Return a CPU's name where a table has it: another may be anything."""
    cpu = load_cpus().resolve(name)
    return "" if cpu is None else cpu.name


def _median(found: Sequence[tuple[Row, float]]) -> Row:
    """Return the row of one setting: the median, the spread, the number of figures."""
    row, rates = found[0][0], [rate for _, rate in found]
    several = len(rates) > 1
    mean = statistics.fmean(rates)
    spread = f"{statistics.stdev(rates) / mean:.4g}" if several else ""
    median = f"{statistics.median(rates):.6g}"
    return row | {
        "throughput": median,
        "log_spread": spread,
        "reports": str(len(rates)),
    }


def decode_rows(
    benches: Iterable[StoredBench], cpus: CpuTable, left_out: Counter[str]
) -> list[Row]:
    """Return what benches say of decoding on one core: the median for each CPU.

    Parameters
    ----------
    left_out : is told why a bench gave none
    """
    rates: dict[tuple[tuple[str, str], ...], OfMachines] = {}
    for one in benches:
        cpu = cpus.resolve(one.machine.cpu)
        result = parse_bench(one.document)
        lines = [
            (line, found)
            for line in result.lines
            if (found := _DECODED.fullmatch(line.name))
            and line.value > 0.0
            and line.unit == _IMAGES  # a stranger may write anything
        ]
        if not lines:
            continue
        if cpu is None:
            left_out["its CPU is in no table"] += 1
            continue
        for line, found in lines:
            version = _VERSION.search(line.note)
            of = {
                "cpu": cpu.name,
                "library": found["library"],
                "version": version[1] if version else "",
                "protocol": PROTOCOLS[found["how"]],
                "unit": _IMAGES,
                "rate": "",
                "doubt": "",
                "source": _source("bench", one.at.strftime("%Y-%m")),
            }
            of_machines = rates.setdefault(tuple(of.items()), {})
            of_machines.setdefault(one.machine.identity, []).append(line.value)
    return [
        dict(of) | {"rate": f"{_of_machines(found):.6g}"} for of, found in rates.items()
    ]


def _of_machines(rates: OfMachines) -> float:
    """Return the median over machines, each with the median over its benches.

    A machine that was measured often is one machine.
    """
    return statistics.median(map(statistics.median, rates.values()))


def _matmuls(
    benches: Iterable[StoredBench], gpus: GpuTable, left_out: Counter[str]
) -> list[Row]:
    """Return what benches say of matrix products: the median of each card."""
    found: dict[str, list[StoredBench]] = {}
    for one in benches:
        machine = one.machine
        if not any(machine.slowest(f"matmul.{name}") for name in _PRECISIONS):
            continue
        if machine.gpu in gpus:
            found.setdefault(machine.gpu, []).append(one)
        else:
            left_out["its GPU is in no table"] += 1
    return [_matmul(gpu, several) for gpu, several in found.items()]


def _matmul(gpu: str, benches: Sequence[StoredBench]) -> Row:
    row = {"gpu": gpu}
    for precision in _PRECISIONS:
        rates: OfMachines = {}
        for one in benches:
            if figure := one.machine.slowest(f"matmul.{precision}"):
                rates.setdefault(one.machine.identity, []).append(figure.value)
        row[f"{precision}_matmul_tflops"] = f"{_of_machines(rates):.4g}" if rates else ""
    machines = len({one.machine.identity for one in benches})
    last = max(one.at for one in benches)
    return row | {
        "measurements": str(machines),
        "source": _source("bench", last.strftime("%Y-%m")),
    }


def _source(reader: str, month: str) -> str:
    return f"advisor, {reader} of {month}"
