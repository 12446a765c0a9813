"""What would leave this machine is told in lines that end, and listed as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.outgoing.ignored import DEFAULT
from advisor.rental.outgoing.tokens import SecretText
from advisor.rental.outgoing.walk import Left
from advisor.rental.outgoing.words import (
    document,
    lines,
    printable,
    too_large,
)

Make = Callable[..., Outgoing]


@pytest.fixture
def outgoing_of() -> Make:
    """Return what makes the list of what goes."""

    def make(**changes: Any) -> Outgoing:
        return Outgoing(
            **{
                "folder": Path("/project"),
                "files": {"a.py": 1},
                "folders": (),
                "left": (),
                "named": {},
                "unused": (),
                "before": {},
                "written_bytes": 0,
                "found": {},
                "secrets": SecretText(()),
                "notify": lambda _: None,
                **changes,
            }
        )

    return make


def test_what_goes_is_told_with_its_largest_files(outgoing_of: Make) -> None:
    """Three of them, the largest first, and how many more there are."""
    files = {"d/a": 10, "b": 3000, "c": 20, "d/d": 2000, "e\n": 500}
    (line,) = lines(outgoing_of(files=files))
    assert line == (
        "5 files, 5.53 kB, of /project go to the machine; largest: b (3 kB), d/d (2 kB), "
        "e? (500 bytes)"
    )
    (line,) = lines(outgoing_of())
    assert line.startswith("1 file, 1 byte, of /project go")
    (line,) = lines(outgoing_of(files={}))
    assert line == "0 files, 0 bytes, of /project go to the machine"


def test_what_stays_is_told_with_its_reason(outgoing_of: Make) -> None:
    """First what the user ignores, then what everybody does; patterns of no use, too."""
    ignored = [Left(f"cache{n}", "ignored", DEFAULT) for n in range(4)]
    ignored += [Left(f"data{n}", "ignored", "data") for n in range(4)]
    left = (Left(".env", "secret", "an environment file"), *ignored)
    outgoing = outgoing_of(
        left=left, named={"key.pem": "a private key"}, unused=("*.tmp",)
    )
    options = {"includes": "--include", "excludes": "--exclude"}
    six = "data0, data1, data2, data3, cache0, cache1"
    assert list(lines(outgoing, options.__getitem__))[1:] == [
        "secrets that go, as --include says: key.pem (a private key)",
        "held back: .env (an environment file); --include PATH sends one all the same",
        f"ignored, stays here: {six} and 2 more; --include PATH sends one all the same",
        "--exclude '*.tmp' matches nothing",
    ]


def test_too_much_is_told_by_what_is_at_the_top(outgoing_of: Make) -> None:
    """What the job itself wrote goes on, and is none of it."""
    files = {"a/x": 3 * 10**9, "a/y": 10**9, "b": 2 * 10**9, "c": 5, "d": 4}
    said = too_large(outgoing_of(files=files, written_bytes=10**9), 2.5)
    assert said == (
        "5 GB of /project would go to the machine, more than 2.5 GB (a 4 GB, b 2 GB, "
        "c 5 bytes): leave some out"
    )


def test_the_document_has_all_of_it(outgoing_of: Make) -> None:
    """However much that is."""
    left = (Left(".env", "secret", "why"), Left("data", "ignored", "data"))
    found = document(
        outgoing_of(
            left=left, folders=("d",), named={"k": "a key"}, files={"a": 1, "b": 2}
        )
    )
    assert found["folder"] == "/project"
    assert found["bytes"] == 3
    assert found["files"] == [{"path": "a", "bytes": 1}, {"path": "b", "bytes": 2}]
    assert found["folders"] == ["d"]
    assert found["secrets"] == [{"path": "k", "reason": "a key"}]
    assert [one["path"] for one in found["held_back"]] == [".env"]
    assert [one["path"] for one in found["ignored"]] == ["data"]


def test_a_name_is_printed_without_what_a_terminal_obeys() -> None:
    """Each such character as one sign."""
    assert printable("a\x1b[2J\nü") == "a?[2J?ü"


def test_a_program_is_told_names_of_fields(outgoing_of: Make) -> None:
    """As Python has them."""
    left = (Left(".env", "secret", "why"),)
    told = list(lines(outgoing_of(left=left, unused=("*.tmp",))))
    assert told[1:] == [
        "held back: .env (why); includes PATH sends one all the same",
        "excludes '*.tmp' matches nothing",
    ]
