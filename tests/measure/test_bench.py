"""The result of a bench is read back whole, and nothing else passes for one."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.measure.bench import MAX_BYTES, parse_bench, parse_output, read_bench
from advisor.measure.probe.lines import Check, Line, Result, Skipped
from tests.hostile import ATTACKS, dangers


def document() -> dict[str, Any]:
    result = Result("quick")
    result.begun_unix_s, result.seconds, result.bytes_written = 1.8e9, 41.5, 2**28
    result.machine = {
        "cpu_name": "AMD EPYC 7702 64-Core Processor",
        "cores": 128,
        "memory_gb": 515.0,
        "os": "Linux 6.8",
        "python": "3.11.9",
        "torch": "2.13.0",
        "driver": "570.86",
        "gpus": [
            {"name": "NVIDIA GeForce RTX 4090", "memory_gb": 24.0, "future": [1]},
            {"name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9"},
        ],
    }
    result.checks = [Check("one kernel", True, "ran"), Check("shared memory", None, "")]
    result.lines = [
        Line("cores.granted", 46.0, "cores"),
        Line("decode.pillow.core", 240.1, "images/s", 0.02, 5, "of 110 kB each"),
        Line("gpu0.matmul.bf16", 151.2, "TFLOP/s", 0.0, 9),
    ]
    result.skipped = [Skipped("net.download", "no URL was given")]
    return result.document()


def test_a_result_is_read_back_whole(tmp_path: Path) -> None:
    """Every figure, check and part that was left out is there, as it was measured."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(document()))
    bench = read_bench(path)
    assert bench.mode == "quick"
    assert not bench.is_interrupted
    assert (bench.seconds, bench.bytes_written) == (41.5, 2**28)
    assert bench.machine.cpu_name == "AMD EPYC 7702 64-Core Processor"
    assert bench.machine.gpus[0].memory_gb == 24.0
    assert bench.machine.gpus[1].compute_capability == 8.9
    assert bench.checks[1] == Check("shared memory", None, "")
    assert bench.lines[1] == Line(
        "decode.pillow.core", 240.1, "images/s", 0.02, 5, "of 110 kB each"
    )
    assert bench.lines[0].log_sd is None
    assert bench.skipped == (Skipped("net.download", "no URL was given"),)
    assert bench.value("gpu0.matmul.bf16") == 151.2
    assert math.isnan(bench.value("gpu1.matmul.bf16"))
    assert bench.cores_granted == 46.0


def test_cores_are_the_machines_where_none_were_counted() -> None:
    """Without a line of granted cores those that the machine states stand."""
    found = document()
    found["lines"] = []
    assert parse_bench(found).cores_granted == 128


def test_next_to_nothing_is_nothing() -> None:
    """What follows divides by figures, and takes their logarithms."""
    found = document()
    found["lines"] = [Line("disk.read.random", 5e-324, "reads/s")._asdict()]
    assert parse_bench(found).value("disk.read.random") == 0.0


@pytest.mark.parametrize("unit", ["errors; call 555 0100", "x" * 21, "<b>"])
def test_a_unit_is_a_unit(unit: str) -> None:
    """It is shown as it is, to people and to programs that read words."""
    found = document()
    found["lines"] = [Line("gpu0.xid", 1.0, unit)._asdict()]
    with pytest.raises(UsageError, match=r"lines\[0\].unit: a unit such as MB/s"):
        parse_bench(found)


def test_the_result_is_the_last_line_of_the_output() -> None:
    """What an image prints before the program's own line does not matter."""
    output = b"Welcome!\n{}\n" + json.dumps(document()).encode() + b"\n"
    assert parse_output(output, "machine 7").mode == "quick"


def test_what_a_newer_program_adds_is_passed_over() -> None:
    """Keys beside the known ones are no fault of the document."""
    found = document() | {"schema_version": 1, "weather": {"rain": [None]}}
    found["lines"][0]["humidity"] = "high"
    assert len(parse_bench(found).lines) == 3


WRONG = {
    "nothing": b"",
    "blanks": b" \n ",
    "a page": b"<!DOCTYPE html><html><title>502 Bad Gateway</title></html>",
    "torn": json.dumps(document()).encode()[:400],
    "no Unicode": b'{"kind": "\xff\xfe"}',
    "a list": b"[]",
    "deep": b'{"kind":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "large": b'{"kind": "' + b"a" * MAX_BYTES + b'"}',
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_document_is_refused_in_one_line(body: bytes, tmp_path: Path) -> None:
    """A torn file, a page or anything else is an error that names the file."""
    path = tmp_path / "bench.json"
    path.write_bytes(body)
    with pytest.raises(UsageError) as raised:
        read_bench(path)
    assert str(raised.value).startswith(str(path))
    assert str(raised.value).isprintable()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """No file and a folder are errors that name it."""
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_bench(path)


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    found = document()
    place: Any = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return found


IMPOSSIBLE = {
    "kind": changed("kind", to="advisor-rent"),
    "a newer version": changed("version", to=2),
    "no version": changed("version", to=None),
    "mode": changed("mode", to="medium"),
    "NaN": changed("lines", 1, "value", to=math.nan),
    "infinity": changed("lines", 1, "value", to=math.inf),
    "a negative rate": changed("lines", 1, "value", to=-1.0),
    "a text for a rate": changed("lines", 1, "value", to="240"),
    "true for a rate": changed("lines", 1, "value", to=True),
    "no value": changed("lines", 1, "value", to=None),
    "more than any machine": changed("lines", 2, "value", to=1e9),
    "an endless integer": changed("lines", 2, "value", to=10**400),
    "spread": changed("lines", 1, "log_sd", to=math.nan),
    "a name with a blank": changed("lines", 1, "name", to="decode pillow"),
    "a name that steers": changed("lines", 1, "name", to="a.b\x1b[2J"),
    "a name without end": changed("lines", 1, "name", to="a" * 1000),
    "twice": changed("lines", 1, "name", to="cores.granted"),
    "lines": changed("lines", to={}),
    "too many lines": changed("lines", to=[document()["lines"][0]] * 5000),
    "a line": changed("lines", 0, to="cores"),
    "machine": changed("machine", to=None),
    "a name of a CPU": changed("machine", "cpu_name", to=7),
    "memory": changed("machine", "memory_gb", to=1e300),
    "GPUs": changed("machine", "gpus", to=[{}] * 1000),
    "ok": changed("checks", 0, "ok", to="yes"),
    "interrupted": changed("interrupted", to=0),
}


@pytest.mark.parametrize("found", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_cannot_be_is_refused_in_one_line(found: dict[str, Any]) -> None:
    """A figure that no machine has, or another kind of value, spoils the document."""
    with pytest.raises(UsageError) as raised:
        parse_bench(found, "machine 7")
    assert str(raised.value).startswith("machine 7 is no result of a bench: ")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_text_of_a_stranger_steers_a_terminal(attack: str) -> None:
    """Names, notes and words are cut and cleaned before anyone sees them."""
    found = document()
    found["machine"] |= dict.fromkeys(("cpu_name", "os", "python", "driver"), attack)
    found["machine"]["gpus"][0]["name"] = attack
    found["checks"][0] |= {"name": attack, "words": attack}
    found["lines"][0] |= {"note": attack}
    found["skipped"][0] |= {"name": attack, "why": attack}
    bench = parse_bench(found)
    machine, check = bench.machine, bench.checks[0]
    texts = (
        machine.cpu_name,
        machine.os,
        machine.python,
        machine.driver,
        machine.gpus[0].name,
        *(check.name, check.words, bench.lines[0].note),
        *bench.skipped[0],
    )
    for text in texts:
        assert len(text) <= 400
        assert not dangers(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=8,
)
keys = st.sampled_from(
    [*document(), "lines.0", "checks.0", "skipped.0", "machine.gpus", "machine.cores"]
)


@given(keys, json_values)
def test_any_value_anywhere_is_read_or_refused(key: str, value: object) -> None:
    """No document makes more than an error of ours, and no figure is without an end."""
    path = [int(part) if part.isdigit() else part for part in key.split(".")]
    bench = None
    with suppress(UsageError):
        bench = parse_bench(changed(*path, to=value))
    assert bench is None or all(math.isfinite(line.value) for line in bench.lines)
