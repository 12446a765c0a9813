"""The log of a command takes no disk and stops no job."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.rental.remote.job_log import JobLog


@pytest.fixture
def told() -> list[str]:
    """Return what is told."""
    return []


def test_a_short_log_is_what_was_printed(tmp_path: Path, told: list[str]) -> None:
    """Byte by byte, also for another launcher, which knows where it goes on."""
    for piece in (b"one\n\x1b[31m", b"two\n"):
        log = JobLog(tmp_path / "x.log", told.append)
        log.write(piece)
        log.close()
    log = JobLog(tmp_path / "x.log", told.append)
    assert log.path.read_bytes() == b"one\n\x1b[31mtwo\n"
    assert (log.offset, log.end()) == (13, "one\n\x1b[31mtwo\n")
    assert told == []


@given(
    pieces=st.lists(st.integers(1, 900), max_size=60),
    again=st.integers(0, 60),
)
def test_a_long_log_has_its_first_and_its_last(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], again: int
) -> None:
    """It is told once; what is known stays known; another launcher may take over."""
    told: list[str] = []
    path = tmp_path_factory.mktemp("law") / "x.log"
    log, printed = JobLog(path, told.append, most_bytes=4000), b""
    for number, length in enumerate(pieces):
        if number == again:
            log.close()
            log = JobLog(path, told.append, most_bytes=4000)
        piece = f"{number}:".encode() + b"x" * length + b"\n"
        log.write(piece)
        printed += piece
        assert log.offset == len(printed)
        assert path.stat().st_size <= 4000
    log.close()
    assert JobLog(path, told.append).offset == len(printed)
    kept = path.read_bytes() if pieces else b""
    assert kept[:1000] == printed[:1000]
    assert printed.endswith(kept[-900:])
    assert ("bytes are left out here" in kept.decode()) == (len(told) > 0)
    assert len(told) <= 1
    assert log.end() == printed.decode()


def test_a_full_disk_keeps_the_job_going(tmp_path: Path, told: list[str]) -> None:
    """It is told once; the end is known, and asked for again by another launcher."""
    free = [10**9]
    log = JobLog(tmp_path / "x.log", told.append, free=lambda _: free[0])
    log.write(b"first\n")
    free[0] = 10**6
    for number in range(3):
        log.write(b"%d\n" % number)
    assert log.offset == 12
    assert log.end() == "first\n0\n1\n2\n"
    assert log.path.read_bytes() == b"first\n"
    assert len(told) == 1
    assert JobLog(tmp_path / "x.log", told.append).offset == 6
    free[0] = 10**9
    log.write(b"last\n")
    assert log.path.read_bytes().endswith(b"was not kept]\nlast\n")
    assert log.offset == 17
    log.close()
    assert JobLog(tmp_path / "x.log", told.append).offset == 17


def test_a_disk_that_fails_keeps_the_job_going(tmp_path: Path, told: list[str]) -> None:
    """Whatever the error is."""
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("there is no /dev/full")
    (tmp_path / "x.log").symlink_to("/dev/full")
    log = JobLog(tmp_path / "x.log", told.append)
    log.write(b"a")
    log.write(b"b")
    log.close()
    assert (log.offset, log.end()) == (2, "ab")
    (line,) = told
    assert os.strerror(errno.ENOSPC) in line


def test_what_the_machine_has_dropped_is_marked(tmp_path: Path, told: list[str]) -> None:
    """And counted on, also by another launcher."""
    log = JobLog(tmp_path / "x.log", told.append)
    log.write(b"a\n")
    log.skip(1000)
    log.write(b"b\n")
    log.close()
    assert log.path.read_bytes() == b"a\n\n[advisor: what came here was not kept]\nb\n"
    assert JobLog(tmp_path / "x.log", told.append).offset == log.offset == 1004
