"""What many tests share: one plain offer, the real data where it is at hand."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

# Tests run side by side, a process a core: threads of BLAS in each of them would wait
# for one another (the splits took six times as long). NumPy reads this when it is
# imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import click.testing
import pytest
from hypothesis import HealthCheck, settings
from tabulate import tabulate

from advisor.app.context import Context
from advisor.base.errors import AdvisorError
from advisor.cli.failure import asked_of, explain
from advisor.cli.main import app

# What tests ask is on this machine: no proxy of the user's stands between.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Under nohup, or in the background of a script, these are ignored, and what is ignored
# here is ignored by all that tests start.
for _name, _usual in (("SIGHUP", signal.SIG_DFL), ("SIGINT", signal.default_int_handler)):
    if (_kind := getattr(signal, _name, None)) and signal.getsignal(
        _kind
    ) is signal.SIG_IGN:
        signal.signal(_kind, _usual)

# Machines are shared and noisy: how long an example takes says nothing. Everyone has the
# same examples, so that what is green here is green there; --hypothesis-profile=random
# looks further.
_SHARED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("random", **_SHARED)
settings.register_profile("shared", derandomize=True, database=None, **_SHARED)
settings.load_profile("shared")

REAL_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
CASES = REAL_DATA.parent / "cases"

RECORD: dict[str, Any] = {
    "id": 101,
    "machine_id": 7,
    "host_id": 3,
    "gpu_ids": [11],
    "gpu_name": "RTX 4090",
    "num_gpus": 1,
    "gpu_frac": 0.5,
    "gpu_ram": 24564,
    "gpu_mem_bw": 900.0,
    "gpu_max_power": 450.0,
    "total_flops": 82.0,
    "compute_cap": 890,
    "bw_nvlink": 0.0,
    "pcie_bw": 24.0,
    "pci_gen": 4.0,
    "gpu_lanes": 16,
    "dlperf": 97.0,
    "cpu_name": "AMD EPYC 7702 64-Core Processor",
    "cpu_cores": 32,
    "cpu_cores_effective": 16.0,
    "cpu_ghz": 3.0,
    "cpu_ram": 64000,
    "disk_space": 900.0,
    "disk_bw": 2000.0,
    "inet_up": 500.0,
    "inet_down": 800.0,
    "inet_up_cost": 0.004,
    "inet_down_cost": 0.002,
    "storage_cost": 0.2,
    "dph_base": 0.30,
    "dph_total": 0.30 + 0.2 * 10 / 720,
    "min_bid": 0.15,
    "reliability": 0.99,
    "duration": 1_000_000.0,
    "end_date": 1_800_000_000.0,
    "geolocation": "Sweden, SE",
    "verification": "verified",
    "hosting_type": 0,
    "rentable": True,
    "rented": False,
    "score": 200.0,
}


KEYS = ("k-secret-123", "test-key-0123456789abcdef")
"""Keys that the tests use: no test may print one, nor write one where it is kept."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let ``-n auto`` be a process more than CPUs: some tests wait for time to pass."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output, log or kept files have a key in them."""
    report = yield
    if call.when != "call" or report.failed:
        return report
    found = [name for name, text in report.sections for key in KEYS if key in text]
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    found += [
        str(path)
        for path in (sorted(folder.rglob("*")) if folder is not None else ())
        if path.is_file() and any(key.encode() in path.read_bytes() for key in KEYS)
    ]
    if found and "puts_a_key_there" not in item.keywords:
        report.outcome = "failed"
        report.longrepr = f"a key shows up in {', '.join(found)}"
    return report


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    stdout: str
    stderr: str
    exit_code: int

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


RunCommand = Callable[[Sequence[str], Context], Outcome]


@pytest.fixture
def run_command() -> RunCommand:
    """Return what runs a command line in a world; only errors of ours are outcomes."""

    def run(words: Sequence[str], context: Context) -> Outcome:
        result = click.testing.CliRunner().invoke(app, words, obj=context)
        stderr, code = result.stderr, result.exit_code
        if isinstance(result.exception, AdvisorError):
            stderr += explain(result.exception, asked_of(app, words)).line
            code = int(result.exception.exit_status)
        elif result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.stdout, stderr, code)

    return run


SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"


def closed(schema: Any) -> Any:
    """Return a schema by which a key that it does not describe is an error.

    The published ones allow it: a later version may add keys. What they leave open on
    purpose stays so.
    """
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="session")
def conforms() -> Callable[[str, Any], None]:
    """Return what checks a document against its schema, undescribed keys included."""
    import jsonschema  # noqa: PLC0415  (few tests ask)
    import referencing  # noqa: PLC0415

    known = {
        path.name: closed(json.loads(path.read_text(encoding="utf-8")))
        for path in SCHEMAS.glob("*.json")
    }
    registry = referencing.Registry().with_resources(
        (name, referencing.Resource.from_contents(one)) for name, one in known.items()
    )

    def check(name: str, document: Any) -> None:
        schema = {"$ref": f"{name}.schema.json"}
        validator = jsonschema.Draft202012Validator(schema, registry=registry)
        errors = [
            f"{'/'.join(map(str, one.absolute_path))}: {one.message[:300]}"
            for error in validator.iter_errors(document)
            for one in (error, *(error.context or ()))
        ]
        assert not errors, f"{name}: " + "\n".join(errors[:10])

    return check


Summary = Callable[..., None]


@pytest.fixture
def summary(request: pytest.FixtureRequest) -> Summary:
    """Return what adds cells to a row of a table that the run ends with."""

    def add(table: str, row: str, **cells: object) -> None:
        told = {name: str(cell) for name, cell in cells.items()}
        request.node.user_properties.append(("summary", [table, row, told]))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables of `summary`, also those of other processes (pytest-xdist)."""
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, told in report.user_properties if report.when == "call" else ():
            if name == "summary":
                table, row, cells = told
                tables.setdefault(table, {}).setdefault(row, {}).update(cells)
    for title, rows in sorted(tables.items()):
        terminalreporter.section(title)
        lines = [{"": row, **cells} for row, cells in sorted(rows.items())]
        terminalreporter.line(tabulate(lines, headers="keys", tablefmt="simple"))


@pytest.fixture
def record() -> dict[str, Any]:
    """Return one whole offer, as the market's JSON has it, for a test to change."""
    return dict(RECORD)


@pytest.fixture(scope="session")
def plain_record() -> Mapping[str, Any]:
    """Return the same offer where a test draws many examples and changes none."""
    return MappingProxyType(RECORD)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    if not REAL_DATA.is_dir():
        pytest.skip("the folder of real data is not beside this checkout")
    return REAL_DATA


@pytest.fixture(scope="session")
def cases() -> Path:
    """Return the folder of cases after bug reports, or skip: likewise."""
    if not CASES.is_dir():
        pytest.skip("the folder of cases is not beside this checkout")
    return CASES


@pytest.fixture
def install_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return what installs a package of one module, whose entry points are markets."""

    def put(module: str, source: str, **markets: str) -> None:
        site = tmp_path / "site"
        about = site / f"{module}-1.0.dist-info"
        about.mkdir(parents=True)
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        (about / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n", "utf-8")
        lines = [f"{name} = {value}" for name, value in markets.items()]
        points = "\n".join(["[advisor.markets]", *lines, ""])
        (about / "entry_points.txt").write_text(points, encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(site))

    return put
