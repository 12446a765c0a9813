"""`advisor completion`: installed once, shown, taken away without a trace; the manual."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.completion import SHELLS, Places, shell_of
from advisor.base.errors import ExitStatus, UsageError
from advisor.cli.main import app
from advisor.cli.manual import manual

Advisor = Callable[..., Any]
ROOT = Path(__file__).parents[2]
BEGIN = "# begin: completion of advisor"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(advisor: Advisor, shell: str) -> None:
    """For `eval`, and nothing is written."""
    done = advisor("completion", shell)
    assert done.exit_code == 0
    assert f"_ADVISOR_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_installing_twice_is_installing_once(
    advisor: Advisor, tmp_path: Path, shell: str
) -> None:
    """The first says what it changed, the second that nothing is to be done."""
    variables = {"SHELL": f"/usr/bin/{shell}"}
    first = advisor("completion", "--install", variables=variables)
    assert first.exit_code == 0
    found = tree(tmp_path)
    for path in found:
        assert path in first.stderr
    assert "man1/advisor.1" in first.stderr
    assert (BEGIN in first.stderr) == (shell != "fish")
    again = advisor("completion", "--install", variables=variables)
    assert again.exit_code == 0
    assert tree(tmp_path) == found
    assert "written" not in again.stderr + again.stdout
    assert "changed:" not in again.stderr.replace("unchanged:", "")
    gone = advisor("completion", "--uninstall", variables=variables)
    assert gone.exit_code == 0
    assert [text for text in tree(tmp_path).values() if text] == []
    nothing = advisor("completion", "--uninstall", variables=variables)
    assert "nothing was installed" in nothing.stderr


def test_each_shell_has_its_places(tmp_path: Path) -> None:
    """Those that its own variables name, where they do."""
    home = tmp_path
    variables = {"XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c", "ZDOTDIR": "/z"}
    places = {shell: Places.of(shell, variables, home) for shell in SHELLS}
    scripts = {shell: str(one.script) for shell, one in places.items()}
    assert scripts == {
        "bash": "/d/bash-completion/completions/advisor",
        "zsh": "/d/zsh/site-functions/_advisor",
        "fish": "/c/fish/completions/advisor.fish",
    }
    assert places["zsh"].start_up == Path("/z/.zshrc")
    assert places["fish"].start_up is None
    assert {one.manual for one in places.values()} == {Path("/d/man/man1/advisor.1")}


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


@given(lines=LINES, ends=st.booleans())
def test_the_start_up_file_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: bool
) -> None:
    """Whatever is in it, but for a line end that its last line lacked."""
    home = tmp_path_factory.mktemp("home")
    text = "\n".join(lines) + ("\n" if ends else "")
    if BEGIN in text:
        return
    start_up = home / ".zshrc"
    start_up.write_bytes(text.encode())
    places = Places.of("zsh", {}, home)
    list(places.install("script", "manual"))
    installed = start_up.read_bytes()
    assert installed.startswith(text.encode())
    assert installed.endswith(places.block.encode())
    list(places.install("script", "manual"))
    assert start_up.read_bytes() == installed
    list(places.uninstall())
    assert start_up.read_bytes() in {text.encode(), f"{text}\n".encode()}


def test_an_older_block_is_replaced(tmp_path: Path) -> None:
    """Where it stood before does not matter; there is one of them."""
    (tmp_path / ".zshrc").write_text(
        f"first\n{BEGIN}\nold lines\n# end: completion of advisor\nlast\n"
    )
    places = Places.of("zsh", {}, tmp_path)
    list(places.install("script", "manual"))
    assert (tmp_path / ".zshrc").read_text() == f"first\nlast\n{places.block}"


def test_half_a_block_is_not_touched(advisor: Advisor, tmp_path: Path) -> None:
    """Where it ends is not for us to guess; nothing at all is written."""
    (tmp_path / ".zshrc").write_text(f"{BEGIN}\nmine\n")
    before = tree(tmp_path)
    for option in ("--install", "--uninstall"):
        done = advisor("completion", "zsh", option)
        assert done.exit_code == 2
        assert "by hand" in done.stderr
        assert tree(tmp_path) == before


def test_what_is_no_text_stays_in_the_start_up_file(tmp_path: Path) -> None:
    """An old file in another encoding, which is a link, and not for others."""
    real = tmp_path / "dotfiles"
    real.write_bytes(b"# caf\xe9\n")
    real.chmod(0o600)
    (tmp_path / ".zshrc").symlink_to(real)
    list(Places.of("zsh", {}, tmp_path).install("script", "manual"))
    assert (tmp_path / ".zshrc").is_symlink()
    assert real.read_bytes().startswith(b"# caf\xe9\n#")
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_page_that_pipx_has_linked_stays(tmp_path: Path) -> None:
    """Only what was put there is taken away."""
    places = Places.of("fish", {}, tmp_path)
    places.manual.parent.mkdir(parents=True)
    (tmp_path / "page").write_text("manual")
    places.manual.symlink_to(tmp_path / "page")
    list(places.install("script", "manual"))
    assert [one.path for one in places.uninstall()] == [places.script]
    assert places.manual.is_symlink()


@pytest.mark.parametrize("shell", ["/bin/csh", "", "bash/"])
def test_a_shell_that_is_not_known(shell: str) -> None:
    """Those that are known are named."""
    if shell == "bash/":
        assert shell_of({"SHELL": shell}) == "bash"
        return
    with pytest.raises(UsageError, match="bash, zsh, fish"):
        shell_of({"SHELL": shell})


def test_one_of_two(advisor: Advisor) -> None:
    """Installing and removing contradict each other."""
    done = advisor("completion", "bash", "--install", "--uninstall")
    assert done.exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(tmp_path: Path) -> None:
    """A shell that reads the start-up file as it was written offers the commands."""
    program = tmp_path / "bin" / "advisor"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m advisor "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    home = {"HOME": str(tmp_path), "PATH": path, "PYTHONPATH": str(ROOT)}
    install = [str(program), "completion", "bash", "--install"]
    subprocess.run(install, check=True, env=home, capture_output=True)
    (start_up,) = (one for one in tmp_path.glob(".bash*") if one.is_file())
    asks = "COMP_WORDS=(advisor re); COMP_CWORD=1; _advisor_completion advisor"
    done = subprocess.run(
        ["bash", "-c", f'. "{start_up}"; {asks}; echo "${{COMPREPLY[@]}}"'],
        check=True,
        env=home,
        capture_output=True,
        text=True,
    )
    assert {"rent", "release", "renew"} <= set(done.stdout.split()), done.stderr


def leaves(group: click.Group, *words: str) -> list[tuple[str, ...]]:
    context, found = click.Context(group), []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*words, name))
        if isinstance(command, click.Group):
            found += leaves(command, *words, name)
    return found


def test_the_manual_has_every_command_and_option() -> None:
    """From the same source as the help, and what the help does not say."""
    text = manual(app)
    plain = text.replace(r"\-", "-").replace(r"\(aq", "'")
    for words in leaves(app):
        assert f'\n.SS "advisor {" ".join(words)}' in plain, words
    assert r"\fB\-\-min\-reliability" in text
    for status in ExitStatus:
        assert f"\n\\fB{int(status)}\\fR\n" in text
    for name in ("VAST_API_KEY", "ADVISOR_DATA_DIR", "advisor.toml"):
        assert name in plain


def test_no_line_of_the_manual_is_a_request_by_chance() -> None:
    """What begins with a point or an apostrophe is roff's only where we mean it."""
    known = {"TH", "ad", "SH", "SS", "PP", "TP", "B", "RS", "RE", "nf", "fi"}
    for line in manual(app).splitlines():
        assert not line.startswith("'")
        if line.startswith("."):
            assert line[1:].split()[0] in known, line
    assert not re.search(r"\\(?![fe&(-])", manual(app))


@pytest.mark.parametrize(
    "words",
    [
        ("mandoc", "-T", "lint", "-W", "warning"),
        ("groff", "-man", "-ww", "-z"),
        ("man", "--warnings", "-l"),
    ],
    ids=lambda words: words[0],
)
def test_the_manual_is_right(tmp_path: Path, words: tuple[str, ...]) -> None:
    """As far as a program that reads such pages is here."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    path = tmp_path / "advisor.1"
    path.write_text(manual(app), encoding="utf-8")
    done = subprocess.run(
        [*words, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert words[0] != "mandoc" or done.stdout == ""
