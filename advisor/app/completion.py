"""Where shells look for completions, and man for its pages; what is put there and taken.

bash and zsh find a script by themselves only where that was set up, so that a block of
marked lines in the user's start-up file reads it; fish has a folder for that.
"""

from __future__ import annotations

import re
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.base.errors import Given, UsageError
from advisor.base.files import write_atomically

Shell = Literal["bash", "zsh", "fish"]
SHELLS: tuple[Shell, ...] = ("bash", "zsh", "fish")

_BEGIN, _END = "# begin: completion of advisor", "# end: completion of advisor"
_BLOCK = re.compile(rf"^{_BEGIN}\n.*?^{_END}(?:\n|\Z)", re.MULTILINE | re.DOTALL)

_READS = {
    "bash": "if [ -r {path} ]; then . {path}; fi",
    # What completes a command is told to zsh by compdef, which compinit brings.
    "zsh": "if [ -r {path} ]; then\n"
    "  (( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}\n"
    "  . {path}\n"
    "fi",
}
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a file.

    Attributes
    ----------
    path : of the file
    what : ``"written"``, ``"changed"``, ``"unchanged"`` or ``"removed"``
    lines : that a start-up file got or lost, without an end of line
    side : whether it is with or without those now
    """

    path: Path
    what: Literal["written", "changed", "unchanged", "removed"]
    lines: str = ""
    side: Literal["with", "without"] = "with"


@dataclass(frozen=True, slots=True)
class Places:
    """Where what is installed goes.

    Attributes
    ----------
    script : file of the completion
    start_up : file in which the shell is told to read it; None: it does so by itself
    manual : file of the man page
    shell : whose they are
    """

    script: Path
    start_up: Path | None
    manual: Path
    shell: Shell

    @classmethod
    def of(cls, shell: Shell, variables: Mapping[str, str], home: Path) -> Places:
        """Return the places of a user.

        Sources: the XDG base directory specification; the manuals of bash-completion,
        zsh (ZDOTDIR), fish and man-db (``share/man`` beside a ``bin`` in PATH).
        """
        data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
        settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
        manual = data / "man" / "man1" / "advisor.1"
        if shell == "fish":
            script = settings / "fish" / "completions" / "advisor.fish"
            return cls(script, None, manual, shell)
        if shell == "zsh":
            script = data / "zsh" / "site-functions" / "_advisor"
            start_up = Path(variables.get("ZDOTDIR") or home) / ".zshrc"
            return cls(script, start_up, manual, shell)
        script = data / "bash-completion" / "completions" / "advisor"
        # A terminal of macOS starts a login shell, which reads no .bashrc.
        name = ".bash_profile" if sys.platform == "darwin" else ".bashrc"
        return cls(script, home / name, manual, shell)

    @property
    def block(self) -> str:
        """The lines of the start-up file."""
        reads = _READS[self.shell].format(path=shlex.quote(str(self.script)))
        return f"{_BEGIN}\n{reads}\n{_END}\n"

    def install(self, script: str, manual: str) -> Iterator[Change]:
        """Put everything where it belongs; what is there as it should be stays.

        Raises
        ------
        UsageError
            if the start-up file has a part of the block
        OSError
            if a file cannot be written
        """
        before = self._started()
        yield _put(self.script, script)
        yield _put(self.manual, manual)
        if self.start_up is None or before is None:
            return
        if self.block in before:
            yield Change(self.start_up, "unchanged")
            return
        rest = _BLOCK.sub("", before)
        gap = "" if rest.endswith("\n") or not rest else "\n"
        _write(self.start_up, f"{rest}{gap}{self.block}")
        yield Change(self.start_up, "changed", self.block.rstrip("\n"))

    def uninstall(self) -> Iterator[Change]:
        """Take away what `install` has put there, and nothing else.

        Raises
        ------
        UsageError
            if the start-up file has a part of the block
        OSError
            if a file cannot be changed
        """
        before = self._started()
        for path in (self.script, self.manual):
            if path.exists() and not path.is_symlink():  # a link is pipx's, or another's
                path.unlink()
                yield Change(path, "removed")
        if self.start_up is None or before is None:
            return
        if found := _BLOCK.search(before):
            _write(self.start_up, _BLOCK.sub("", before))
            lines = found[0].rstrip("\n")
            yield Change(self.start_up, "changed", lines, "without")

    def _started(self) -> str | None:
        """Return the text of the start-up file, None where the shell needs none.

        Raises
        ------
        UsageError
            if it has a part of the block: where that ends is not for us to guess
        """
        if self.start_up is None:
            return None
        text = _text_of(self.start_up) or ""
        rest = _BLOCK.sub("", text)
        if _BEGIN in rest or _END in rest:
            message = (
                f"{self.start_up} has a part of the lines between {_BEGIN!r} and "
                f"{_END!r}: remove them by hand"
            )
            raise UsageError(message)
        return text


def shell_of(variables: Mapping[str, str]) -> Shell:
    """Return the user's shell.

    Raises
    ------
    UsageError
        if it is none that is known
    """
    name = Path(variables.get("SHELL", "")).name
    for shell in SHELLS:
        if name == shell:
            return shell
    what = f"the shell {name!r} is not known" if name else "no SHELL is set"
    raise UsageError(Given("shell"), f": {what}; name one of {', '.join(SHELLS)}")


def _put(path: Path, text: str) -> Change:
    if _text_of(path) == text:
        return Change(path, "unchanged")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, text)
    return Change(path, "written")


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    """Write a file whole; a link stays one, and a mode stays what it is."""
    place = path.resolve()
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else _MODE
    write_atomically(place, text.encode("utf-8", "surrogateescape"), mode)
