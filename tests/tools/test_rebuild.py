"""All tables come from the sources in the checkout, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Tool = Callable[[str], ModuleType]

SLOW = {"row-use"}
TABLES = """
    gpus cpus benchmarks auxiliary cpu-rates allreduce offers components row-use market
    profiles readme
""".split()  # noqa: SIM905  (a line each otherwise)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in TABLES],
)
def test_the_checkouts_tables_are_what_its_sources_give(
    name: str, tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text exactly, numbers within 1e-9, each file of it."""
    status = tool("rebuild").main(["--check", name])
    said = capsys.readouterr().out
    assert status == 0, said
    assert all(line.endswith("as it is") for line in said.splitlines())


def test_every_table_is_checked(tool: Tool) -> None:
    """A new one has to be named above."""
    assert list(tool("rebuild").TABLES) == TABLES


@pytest.fixture
def copy(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for the checkout, with one price that is another."""
    rebuild = tool("rebuild")
    for path, text in rebuild.build("offers").items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        wrong = path == "models/prices.csv"
        file.write_text(text.replace("0.2009", "0.2010") if wrong else text)
    monkeypatch.setattr(rebuild, "ROOT", tmp_path)
    return tmp_path


def test_a_check_names_what_differs_and_leaves_it(
    copy: Path, tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; the file stays as it was found."""
    before = (copy / "models" / "prices.csv").read_text()
    assert tool("rebuild").main(["--check", "offers"]) == 1
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "models/prices.csv: differs",
        "models/prices.exclusions.json: as it is",
        "models/dlperf.csv: as it is",
    ]
    assert (copy / "models" / "prices.csv").read_text() == before


def test_rebuilding_mends_what_differs(copy: Path, tool: Tool) -> None:
    """Exit code 0, and a check finds nothing afterwards."""
    rebuild = tool("rebuild")
    assert rebuild.main(["offers"]) == 0
    assert rebuild.main(["--check", "offers"]) == 0


def test_a_file_that_is_missing_differs(copy: Path, tool: Tool) -> None:
    """It is no reason to stop, and it is written."""
    rebuild = tool("rebuild")
    (copy / "models" / "dlperf.csv").unlink()
    assert rebuild.main(["--check", "offers"]) == 1
    rebuild.main(["offers"])
    assert (copy / "models" / "dlperf.csv").exists()


def test_no_such_table_is_said_with_those_there_are(
    tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every wrong argument: exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        tool("rebuild").main(["--check", "gpu"])
    assert stopped.value.code == 2
    assert "no such table: gpu; gpus, cpus," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        ("a,0.1,x\n", "a,0.1,x\n", True),
        ("a,0.1,x\n", "a,0.10000000000000001,x\n", True),
        ("a,0.1,x\n", "a,0.1000000002,x\n", False),
        ("a,0.1,x\n", "a,0.1,y\n", False),
        ("a,1e-9\n", "a,1E-9\n", True),
        ("a,1,2\n", "a,1,2,3\n", False),
        ("v1.2\n", "v1.20\n", False),
        ("RTX 4090\n", "RTX 4091\n", False),
    ],
)
def test_text_is_compared_exactly_and_numbers_nearly(
    ours: str, theirs: str, equal: bool, tool: Tool
) -> None:
    """A version is text, not a number."""
    assert tool("rebuild").same(ours, theirs) is equal
