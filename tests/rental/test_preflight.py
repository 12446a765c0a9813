"""What is checked before anything is paid, piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import UsageError
from advisor.rental.preflight import (
    check_comes_back,
    check_image,
    inner_folder,
    is_too_much,
)

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "name",
    [
        "ubuntu",
        "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime",
        "nvcr.io/nvidia/pytorch:24.10-py3",
        "localhost:5000/a/b__c.d-e/f:T_1",
        "registry.example.com:443/x",
        f"ghcr.io/huggingface/trl@sha256:{DIGEST}",
        f"a/b:latest@sha256:{DIGEST}",
    ],
)
def test_names_of_images_are_let_through(name: str) -> None:
    """As Docker's own grammar has them."""
    check_image(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ubuntu",
        "a b",
        "Pytorch/Pytorch",
        "a/b:",
        "a//b",
        "-a",
        "a:b:c",
        "a@sha256:12",
        "https://ghcr.io/x/y",
        "a\n",
        "x" * 256,
    ],
)
def test_what_cannot_name_an_image_is_refused(name: str) -> None:
    """A machine would be paid for and never start."""
    with pytest.raises(UsageError, match="cannot name an image"):
        check_image(name)


def test_an_image_in_capitals_is_guessed() -> None:
    """Names of images have none."""
    with pytest.raises(UsageError, match="did you mean pytorch/pytorch"):
        check_image("PyTorch/pytorch")


@pytest.mark.parametrize(
    "name", ["/etc", "..", "a/../..", ".", "", ".git", "a/.git/hooks", ".ssh", "a\0b"]
)
def test_only_a_folder_inside_comes_back(name: str) -> None:
    """And none whose files programs of this machine obey."""
    with pytest.raises(UsageError):
        inner_folder(name)


def test_a_folder_inside_has_a_plain_name() -> None:
    """As rsync and the machine's shell are given it."""
    assert inner_folder("./out//x/") == "out/x"


def test_what_is_no_folder_takes_nothing_back(tmp_path: Path) -> None:
    """A file, and a link, through which another folder would be written."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    check_comes_back(tmp_path, ["results", "deep/er"])
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="is no folder"):
            check_comes_back(tmp_path, [name])


def test_the_home_folder_and_what_holds_it_is_too_much(tmp_path: Path) -> None:
    """Also by another path; a folder in it is not."""
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    for folder in (home, tmp_path, Path("/"), tmp_path / "link", home / "project" / ".."):
        assert is_too_much(folder, home)
    for folder in (home / "project", tmp_path / "other"):
        assert not is_too_much(folder, home)
