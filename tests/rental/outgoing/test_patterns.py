"""A pattern says what it is about, and into which folders it leads."""

from __future__ import annotations

import pytest

from advisor.rental.outgoing.patterns import Pattern


@pytest.mark.parametrize(
    ("text", "folder", "leads"),
    [
        ("a/b/c", "a", True),
        ("a/b/c", "a/b", True),
        ("a/b/c", "a/b/c", False),  # it is that one
        ("a/b/c", "a/b/c/d", False),
        ("a/b/c", "b", False),
        ("a/b/c", "a/c", False),
        ("/a/b", "a", True),
        ("a/*/c", "a/x", True),
        ("a*/c", "b", False),
        ("a/**", "a/x/y/z", True),
        ("**/b/c", "any/where", True),
        ("a/**/c", "b/x", False),
        ("c", "a", False),  # a name anywhere names no folder
        ("**/c", "a", False),
    ],
)
def test_a_pattern_leads_into_the_folders_above_what_it_names(
    text: str, folder: str, leads: bool
) -> None:
    """Those that must be entered to find it."""
    assert Pattern.parse(text).leads_into(folder) is leads


@pytest.mark.parametrize(
    ("text", "is_specific", "is_literal"),
    [
        ("a", True, True),
        ("b/a/", True, True),
        ("*/a", True, True),
        ("*.py", True, False),
        ("a?", True, False),
        ("[ab]", True, False),
        ("*", False, False),
        ("a/**", False, False),
        ("??", False, False),
    ],
)
def test_a_pattern_is_known_by_its_last_name(
    text: str, is_specific: bool, is_literal: bool
) -> None:
    """A wildcard alone is about nothing on purpose."""
    pattern = Pattern.parse(text)
    assert (pattern.is_specific, pattern.is_literal) == (is_specific, is_literal)


@pytest.mark.parametrize(
    ("text", "path", "is_folder", "matches"),
    [
        ("a", "b/a", False, True),
        ("a/", "b/a", True, True),
        ("a/", "b/a", False, False),
        ("/a", "a", False, True),
        ("/a", "b/a", False, False),
        ("b/*", "b/a", False, True),
        ("b/*", "b/a/c", False, False),
        ("!a", "!a", False, True),  # its mark has been taken off
        ("#a", "#a", False, True),
        ("*", ".x", False, True),
    ],
)
def test_a_pattern_is_about_an_entry(
    text: str, path: str, is_folder: bool, matches: bool
) -> None:
    """By its name anywhere, or by its path where it has a slash inside."""
    assert Pattern.parse(text).matches(path, is_folder=is_folder) is matches


@pytest.mark.parametrize("text", ["[z-a]", "a\\", "[", "[[:what:]]"])
def test_what_cannot_be_a_pattern_is_about_nothing(text: str) -> None:
    """It stops nobody either. An older pathspec takes a lone bracket for itself."""
    pattern = Pattern.parse(text)
    names = ("a", "w", *[text] * (text != "["))
    assert not any(pattern.matches(one, is_folder=False) for one in names)
