"""What a machine says of its files, before any of them comes."""

from __future__ import annotations

import pytest

from advisor.rental.incoming.listing import _read


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
