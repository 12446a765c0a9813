"""`advisor bench`: the program run in the Python of trainings, its result shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.app import bench
from advisor.app.bench import BenchSpec, interpreter
from advisor.base.errors import UsageError
from advisor.measure.bench import read_bench

Advisor = Callable[..., Any]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")

FOUND = {
    "kind": "advisor-bench",
    "version": 1,
    "mode": "quick",
    "begun_unix_s": 1795867200.0,
    "seconds": 31.5,
    "bytes_written": 998244352,
    "interrupted": False,
    "machine": {
        "cpu_name": "AMD EPYC 7702",
        "cores": 7.5,
        "memory_gb": 64.2,
        "os": "Linux x86_64",
        "python": "3.12.3",
        "torch": "2.9.1+cu128",
        "driver": "580.82.07",
        "gpus": [{"name": "RTX 4090", "memory_gb": 24.0, "compute_capability": "8.9"}],
    },
    "checks": [
        {"name": "host.memory", "ok": True, "words": "64.2 GB"},
        {"name": "gpu0.kernel", "ok": False, "words": "no kernel image: take cu128"},
    ],
    "lines": [
        {
            "name": "cores.granted",
            "value": 7.5,
            "unit": "cores",
            "log_sd": None,
            "repeats": 1,
            "note": "the smaller of affinity and quota",
        },
        {
            "name": "decode.pillow.w8",
            "value": 1712.3,
            "unit": "images/s",
            "log_sd": 0.03,
            "repeats": 5,
            "note": "",
        },
    ],
    "skipped": [
        {"name": "net.download", "why": "no address to download from"},
        {"name": "disk", "why": "no folder on a disk"},
    ],
}
"""What the program prints on some rented machine."""


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., str]:
    """Return what makes an interpreter that prints a document instead of running one."""

    def make(text: str = json.dumps(FOUND), status: int = 0, more: str = "") -> str:
        (tmp_path / "printed").write_text(f"a line of a library\n{text}\n")
        path = tmp_path / "python"
        path.write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/words\n{more}\n'
            f"cat {tmp_path}/printed\nexit {status}\n"
        )
        path.chmod(0o755)
        return str(path)

    return make


def test_the_result_is_a_table_for_people(
    advisor: Advisor, stand_in: Callable[..., str]
) -> None:
    """What the machine is, what fails first, the figures, and what is missing."""
    done = advisor("bench", "--python", stand_in())
    assert done.exit_code == 0
    assert "AMD EPYC 7702" in done.stdout
    assert done.stdout.index("gpu0.kernel NO") < done.stdout.index("host.memory ok")
    (row,) = [one for one in done.stdout.splitlines() if "decode.pillow.w8" in one]
    assert row.split() == ["decode.pillow.w8", "1,710", "images/s", "±3", "%"]
    left_out = [one for one in done.stderr.splitlines() if "not measured" in one]
    assert left_out == [
        "not measured: net.download: no address to download from",
        "not measured: disk: no folder on a disk",
    ]
    assert "1 check failed" in done.stderr


def test_the_document_is_as_its_schema_says(
    advisor: Advisor, stand_in: Callable[..., str], conforms: Any, tmp_path: Path
) -> None:
    """What is printed is what is kept, and can be read back."""
    kept = tmp_path / "host.json"
    done = advisor("bench", "--python", stand_in(), "--json", "-o", str(kept))
    conforms("bench", done.document)
    assert json.loads(kept.read_text()) == done.document
    assert done.document == {"schema_version": 1, **FOUND}
    assert read_bench(kept).value("decode.pillow.w8") == 1712.3


def test_the_real_program_is_as_its_schema_says(advisor: Advisor, conforms: Any) -> None:
    """On this machine, for a moment, without a byte written.

    How far it comes by then is the machine's affair: what it does not come to is named.
    """
    done = advisor("bench", "--seconds", "3", "--write-gb", "0", "--json")
    assert done.exit_code == 0, done.stderr
    conforms("bench", done.document)
    measured = {one["name"] for one in done.document["lines"]}
    late = {
        one["name"] for one in done.document["skipped"] if one["why"] == "the time was up"
    }
    assert "cores.granted" in measured
    assert ("core.zlib" in measured) is not bool(late & {"core.zlib", "cores"})
    assert done.document["bytes_written"] == 0


def test_a_result_is_not_lost_with_its_file(
    advisor: Advisor, stand_in: Callable[..., str], tmp_path: Path
) -> None:
    """What took a minute to measure is shown where it cannot be written."""
    more = f"mkdir {tmp_path}/host.json"  # the path is taken meanwhile
    python = stand_in(more=more)
    done = advisor("bench", "--python", python, "-o", str(tmp_path / "host.json"))
    assert done.exit_code == 2
    assert "decode.pillow.w8" in done.stdout
    assert "cannot write" in done.stderr


def test_no_line_is_wider_than_the_terminal(
    advisor: Advisor, stand_in: Callable[..., str]
) -> None:
    """Neither of the table nor of what is said under it."""
    slow = {"name": "cores.delivered", "value": 1.7, "unit": "cores"}
    left_out = {"name": "decode.torchcodec", "why": "it is not installed " * 5}
    found = {**FOUND, "lines": [*FOUND["lines"], slow], "skipped": [left_out]}
    done = advisor(
        "bench", "--python", stand_in(json.dumps(found)), variables={"COLUMNS": "72"}
    )
    assert done.exit_code == 0
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        assert len(line) <= 72


def test_what_other_programs_take_is_told_where_it_looks_like_a_fault(
    advisor: Advisor, stand_in: Callable[..., str]
) -> None:
    """A machine of one's own is rarely idle, and then not what it could be."""
    for delivered, is_told in ((1.7, True), (7.4, False)):
        line = {"name": "cores.delivered", "value": delivered, "unit": "cores"}
        found = {**FOUND, "lines": [*FOUND["lines"], line]}
        done = advisor("bench", "--python", stand_in(json.dumps(found)))
        assert ("1 of 1 compared lines at fault" in done.stderr) is is_told
        assert ("what other programs here take" in done.stderr) is is_told


def test_what_is_asked_for_reaches_the_program(
    advisor: Advisor, stand_in: Callable[..., str], tmp_path: Path
) -> None:
    """Its command line has all of it."""
    words = ["--full", "--seconds", "60", "--write-gb", "0.5", "--folder", str(tmp_path)]
    words += ["--url", "https://example.com/a", "--url", "https://example.com/b"]
    advisor("bench", "--python", stand_in(), *words)
    _, *given = (tmp_path / "words").read_text().split()
    assert given == [
        *("--mode", "full", "--seconds", "60", "--bytes", "500000000"),
        *("--folder", str(tmp_path)),
        *("--url", "https://example.com/a", "--url", "https://example.com/b"),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seconds", "0"), "--seconds"),
        (("--write-gb", "-1"), "--write-gb"),
        (("--url", "file:///etc/passwd"), "--url=file:///etc/passwd"),
        (("--folder", "/none/such"), "--folder"),
        (("--quick", "--full"), "contradict"),
        (("--python", "/none/such"), "--python"),
        (("-o", "/none/such/x.json"), "/none/such is no folder"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    advisor: Advisor, words: tuple[str, ...], told: str
) -> None:
    """In one line, before anything is measured."""
    done = advisor("bench", *words)
    assert done.exit_code == 2
    assert told.partition("=")[0] in done.stderr.replace("\n", " ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("", 0, "no result"),
        ("[1]", 0, "no result"),
        ('{"kind": "x"}', 0, "kind"),
        ("", 1, "ended with status 1"),
    ],
)
def test_an_interpreter_that_measures_nothing_is_told(
    advisor: Advisor, stand_in: Callable[..., str], text: str, status: int, told: str
) -> None:
    """It is something else, or it fails."""
    done = advisor("bench", "--python", stand_in(text, status))
    assert done.exit_code in {1, 2}
    assert told in done.stderr
    assert done.stdout == ""


def test_the_python_of_the_active_environment_measures(tmp_path: Path) -> None:
    """Of a virtual environment or conda, else the first on the path, else ours."""
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    python, first = str(tmp_path / "bin/python"), str(tmp_path / "bin/python3")
    assert interpreter({"VIRTUAL_ENV": str(tmp_path)}) == python
    assert interpreter({"CONDA_PREFIX": str(tmp_path), "PATH": ""}) == python
    assert interpreter({"PATH": str(tmp_path / "bin")}) == first
    assert interpreter({"VIRTUAL_ENV": str(tmp_path / "none")}) == sys.executable
    assert interpreter({}) == sys.executable


def test_a_spec_refuses_what_is_no_address() -> None:
    """Before a program is started."""
    with pytest.raises(UsageError, match="names no address"):
        BenchSpec(urls=("ftp://x/y",))


def test_a_program_that_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C is Ctrl-C: no error of Python's own, and nothing runs on."""
    monkeypatch.setattr(bench, "_CLEARS_UP_S", 0.1)
    stuck = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    stuck += "print('begun', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", stuck], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(KeyboardInterrupt):
            bench._interrupted(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("sign", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_shows_what_was_measured_by_then(
    stand_in: Callable[..., str], tmp_path: Path, sign: str
) -> None:
    """The program clears up and prints its result; the exit code is that of Ctrl-C.

    So it is where a job is ended or a terminal closed, and no file stays.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = json.dumps({**FOUND, "interrupted": True})
    (tmp_path / "begun").unlink(missing_ok=True)
    waiting = f"trap 'cat {tmp_path}/printed; exit 130' INT\n"
    waiting += f"touch {tmp_path}/begun\nwhile :; do sleep 0.05; done"
    python = stand_in(found, 130, waiting)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "advisor", "bench", "--python", python, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(scratch)},
        start_new_session=True,
    ) as process:
        while not (tmp_path / "begun").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(getattr(signal, sign))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["interrupted"] is True
    assert list(scratch.iterdir()) == []
