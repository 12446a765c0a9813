"""What a machine says of its files, before any of them comes."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.base.errors import RemoteError, UnreachableError
from advisor.rental.incoming.listing import Listing, _read, ask_for


def said(size: str, files: list[str], links: dict[str, str]) -> bytes:
    pairs = [part for link in links.items() for part in link]
    return "\0".join([size, *files, "", *pairs]).encode()


@pytest.mark.parametrize("name", ["../key", "/etc/passwd", ".", "..", "a/../../key"])
def test_a_file_outside_the_folder_is_none_of_it(name: str) -> None:
    """Whatever the machine lists, what comes lies in the folder."""
    assert _read(said("5", [name, "model.pt"], {})).files == {"model.pt"}


def test_a_link_comes_as_the_file_in_the_folder_that_it_leads_to() -> None:
    """One that leads elsewhere, or lies elsewhere, stays there and is told."""
    links = {"last": "runs/a.pt", "runs/b": "a.pt", "../out": "folder/runs/a.pt"}
    links |= {"key": "../key", "whole": "/etc/passwd"}
    found = _read(said("5", ["runs/a.pt"], links))
    assert found.links == {"last": "runs/a.pt", "runs/b": "runs/a.pt"}
    assert set(found.other_links) == {"../out", "key", "whole"}


@pytest.mark.parametrize(("told", "size"), [("123", 123), ("", None), ("-1", None)])
def test_a_size_that_is_no_number_is_not_known(told: str, size: int | None) -> None:
    """It bounds nothing then; what comes is counted while it does."""
    assert _read(said(told, [], {})).size == size


def test_each_link_is_a_pair() -> None:
    """Its name and where it leads to, and nothing else is one."""
    found = _read(said("5", ["a", "b"], {"l": "a", "m": "b", "n": "c"}))
    assert found.links == {"l": "a", "m": "b"}
    assert found.other_links == ("n",)
    assert _read(b"5\0a\0\0l\0a\0m").links == {"l": "a"}  # broken off
    assert _read(b"").files == frozenset()
    assert _read(b"5\0a\0b").files == {"a", "b"}


class Machine:
    """One that fails when it is asked."""

    def __init__(self, error: RemoteError) -> None:
        self.error = error

    def run(self, script: str, timeout_s: float) -> None:
        assert "cd -- 'a b' ||" in script
        assert timeout_s == 300.0
        raise self.error


def test_a_list_without_end_is_not_needed() -> None:
    """It is copied without; a machine that cannot be reached is told."""
    endless: Any = Machine(RemoteError("answers without end"))
    assert ask_for(endless, "a b") == Listing()
    away: Any = Machine(UnreachableError("no ssh"))
    with pytest.raises(UnreachableError):
        ask_for(away, "a b")
