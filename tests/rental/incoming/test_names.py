"""No program here obeys what a machine sent, by whatever name it sends it."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.rental.incoming.names import another, original, safe_name

_NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1
) | st.binary(min_size=1, max_size=80).map(
    lambda body: os.fsdecode(body.replace(b"/", b"").replace(b"\0", b"") or b"x")
)


@pytest.mark.parametrize(
    "name",
    [
        *(".git", ".GIT", ".hg", ".svn", ".bzr", ".jj", ".gitattributes", ".gitmodules"),
        *(".envrc", ".env", ".vscode", ".idea", ".editorconfig", ".advisorignore"),
        # As HFS+, NTFS and others see them
        *(".g\u200cit", "\u200c.git", "\ufeff.git", ".git ", ".git.", "GIT~1", "git~1."),
        *(".git::$INDEX_ALLOCATION", "\uff0egit", "HEAD.", "head", "\uff28EAD", "HEAD:x"),
        *("HEAD", "CVS", "_darcs", "Makefile", "GNUmakefile", "conftest.py", "setup.cfg"),
        *(
            "sitecustomize.py",
            "pyproject.toml",
            "__pycache__",
            "advisor.toml",
            "AGENTS.md",
        ),
        *("package.json", "vite.config.mjs", "-rf", "--help", "a\x1b]0;x\x07", "a\nb"),
        *(
            "\u202emoc.exe",
            "a\x9b",
            os.fsdecode(b"a\x9b31m"),
            "...",
            ".",
            "advisor-renamed",
        ),
    ],
)
def test_what_programs_obey_gets_another_name(name: str) -> None:
    """Whatever a file system makes of its case, its width, its end."""
    assert safe_name(name) == f"advisor-renamed+{safe_name(name).partition('+')[2]}"


@pytest.mark.parametrize(
    "name",
    [
        *("model.pt", "checkpoint-500", "pytorch_model.bin.index.json", "README.md"),
        *(
            ".metadata",
            "__0_0.distcp",
            ".zarray",
            ".zgroup",
            ".hydra",
            ".part-0.parquet.crc",
        ),
        *("events.out.tfevents.1", "epoch=3-step=10.ckpt", "2026-11-28T10:00:00", "a b"),
        *(
            "train.py",
            "modeling_x.py",
            "Grüße",
            "日本",
            "می‌خواهم",
            "c~",
            "header",
            "_CHECKPOINT",
        ),
        os.fsdecode(b"latin \xfc"),
    ],
)
def test_data_keep_their_names(name: str) -> None:
    """Those of frameworks, dates, other scripts; a program that is run on purpose."""
    assert safe_name(name) == name


def test_a_name_too_long_to_be_told_stays_as_it_is_called() -> None:
    """It cannot be found again, and none is made up."""
    for name in (".x" * 127, "-" * 255):
        renamed = safe_name(name)
        assert len(renamed) <= 255
        assert original(renamed) is None
        assert original(another(renamed, 2)) is None
    assert safe_name(".x" * 127) != safe_name(".y" * 127)


@given(_NAMES)
@example("a%0Ab\n")
@example("advisor-renamed+.git")
def test_a_name_is_found_again(name: str) -> None:
    """On the next machine; and two names never become one."""
    for renamed in (safe_name(name), another(safe_name(name), 2)):
        found = original(renamed)
        is_told = len(os.fsencode(renamed)) < 80  # longer ones may tell no name
        assert found == name or (found is None and renamed == name) or not is_told


@given(_NAMES)
def test_a_new_name_is_safe(name: str) -> None:
    """It is printed as it is, is no option, has no dot in front, and is not too long."""
    renamed = safe_name(name)
    assert not renamed.startswith((".", "-")) or renamed == name
    if renamed != name:
        assert len(os.fsencode(renamed)) <= 255
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in renamed)
        assert safe_name(renamed) != renamed  # a machine cannot send one for another


@pytest.mark.parametrize(
    "told", [".", "..", "%2E%2E", "a%2Fb", "%2Fetc%2Fpasswd", "a%00"]
)
def test_no_name_leads_elsewhere_when_it_is_named_back(told: str) -> None:
    """Each rule counts alone: a dot, two dots, a slash and a NUL are no names."""
    assert original(f"advisor-renamed+{told}") is None


@pytest.mark.parametrize("name", [". .", "...", ".:x"])
def test_a_name_of_dots_is_a_hidden_one(name: str) -> None:
    """A file system may drop all of them."""
    assert safe_name(name).startswith("advisor-renamed+")


@pytest.mark.parametrize(
    ("length", "is_told"), [(255 - len("advisor-renamed+") - 1, True), (255, False)]
)
def test_a_name_is_told_as_long_as_a_file_system_takes_it(
    length: int, is_told: bool
) -> None:
    """255 bytes with what is put before it."""
    name = "." + "x" * length
    renamed = safe_name(name)
    assert (original(renamed) == name) is is_told
    assert len(renamed) == (255 if is_told else len("advisor-renamed+") + 64)
    longer = safe_name(name + "x")
    assert original(longer) is None
