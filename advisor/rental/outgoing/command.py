"""The command of a job, looked at before a machine is paid for.

What surely cannot be carried out there is refused: a word that is no program, a script
that is not among what is sent. What only the image knows gets through by its whole path
or in ``sh -c '...'``.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from advisor.base.errors import Given, UsageError
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.outgoing.walk import HELD_BACK, Left

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_SHELLS = frozenset({"bash", "dash", "ksh", "sh", "zsh"})
_LAUNCHERS = frozenset(
    {
        *("accelerate", "colossalai", "composer", "deepspeed", "horovodrun", "ipython"),
        *("mpiexec", "mpirun", "torchrun", "uv"),
    }
)
"""Programs that start a script; which of their options has a value only they know."""

_LAUNCHER_MODULES = ("accelerate.", "deepspeed.", "torch.distributed.")
_STARTERS = frozenset(
    {
        *("conda", "env", "ionice", "mamba", "micromamba", "nice", "nohup", "numactl"),
        *("pdm", "pipenv", "pixi", "poetry", "setsid", "stdbuf", "sudo", "taskset"),
        *("time", "timeout", "xvfb-run"),
    }
)
"""Programs that start another one, which stands behind."""

_USUAL = frozenset(
    {
        *_SHELLS,
        *_LAUNCHERS,
        *_STARTERS,
        *("python", "python3", "pip", "pip3", "pytest", "jupyter", "jupyter-lab", "make"),
        *("cmake", "gcc", "g++", "nvcc", "node", "npm", "npx", "julia", "R", "Rscript"),
        *("perl", "ruby", "go", "cargo", "java", "git", "curl", "wget", "tar", "unzip"),
        *("apt-get", "nvidia-smi", "nsys", "ncu", "huggingface-cli", "hf", "wandb"),
        *("lightning", "litgpt", "tune", "axolotl", "llamafactory-cli", "vllm", "trl"),
        *("yolo", "fairseq-train", "tensorboard"),
    }
)
"""Programs that an image for training may well have where this machine has not."""

_BUILT_IN = frozenset(
    {
        *(".", ":", "[[", "alias", "case", "cd", "eval", "export", "for", "function"),
        *("if", "pushd", "set", "source", "trap", "ulimit", "umask", "unset", "until"),
        *("while", "{", "(", "!"),
    }
)
"""Words that a shell alone knows (POSIX.1-2017, sections 2.4 and 2.14; bash(1))."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


def check_words(argv: Sequence[str]) -> None:
    """Refuse what can be no command, whatever is sent.

    Raises
    ------
    UsageError
        with what to write instead
    """
    if not argv or not argv[0].strip():
        message = "there is no command to run"
        raise UsageError(message)
    first = argv[0]
    if any("\0" in word for word in argv):
        message = "a command cannot hold a NUL character"
        raise UsageError(message)
    if first.startswith("-"):
        message = (
            f"the command starts with the option {first!r}: advisor's own options stand "
            "before the command or '--'"
        )
        raise UsageError(message)
    if _ASSIGNMENT.fullmatch(first):
        message = f"{first!r} sets a variable: start the command with 'env {first} ...'"
        raise UsageError(message)
    if first in _BUILT_IN:
        message = f"{first!r} is a word of the shell: write sh -c '{first} ...'"
        raise UsageError(message)
    if len(argv) == 1 and len(words := first.split()) > 1 and "/" not in words[0]:
        message = (
            f"{first!r} is one word: write the command without quotes, or "
            "sh -c '...' for a line of the shell"
        )
        raise UsageError(message)


def check_command(argv: Sequence[str], outgoing: Outgoing, path: str | None) -> None:
    """Refuse a command that surely fails on the machine.

    Parameters
    ----------
    argv : program and arguments, checked by `check_words`
    outgoing : what will be there
    path : folders of programs of this machine, as ``PATH`` has them; None: those of
        this process

    Raises
    ------
    UsageError
        with the nearest name, or with why what it needs stays here
    """
    _check_program(argv[0], outgoing, path)
    started = _started(argv)
    if started is not None and started.is_module:
        _check_module(started.word, outgoing)
    elif started is not None:
        _check_there(started.word, outgoing)
    for word in argv[1:]:
        for named in _left_in(word, outgoing):
            if named.kind in HELD_BACK:
                raise UsageError(
                    f"the command names {named.path}, which stays here ({named.why}): ",
                    *_way_out(named),
                )


def stays_here(argv: Sequence[str], outgoing: Outgoing) -> tuple[Left, ...]:
    """Return what the command names although it is ignored, and so stays here.

    It may be what the command writes, so that this is no error.
    """
    found = (one for word in argv[1:] for one in _left_in(word, outgoing))
    return tuple(dict.fromkeys(found))


def _check_program(word: str, outgoing: Outgoing, path: str | None) -> None:
    """Refuse a first word that is no program, there or usually."""
    if "/" in word:
        _check_there(word, outgoing)
        place = outgoing.folder / word
        if _inside(word) in outgoing.files and not place.stat().st_mode & stat.S_IXUSR:
            message = (
                f"{word} may not be executed: 'chmod +x {word}', or name its program"
            )
            raise UsageError(message)
        return
    if word in _USUAL or _PYTHON.fullmatch(word) or shutil.which(word, path=path):
        return
    if word in outgoing.files:
        message = f"{word!r} is no program but a file: write ./{word}, or 'python {word}'"
        raise UsageError(message)
    near = difflib.get_close_matches(word, sorted(_USUAL), 1)
    hint = f": did you mean {near[0]}?" if near else _nearest(word, outgoing)
    message = (
        f"{word!r} is no program here, nor one that images usually have{hint or '.'} "
        f"If the image has it, write sh -c '{word} ...'"
    )
    raise UsageError(message)


class _Started(NamedTuple):
    """What an interpreter is to run.

    Attributes
    ----------
    word : path of a script, or name of a Python module
    is_module : which of them it is
    """

    word: str
    is_module: bool = False


def _started(argv: Sequence[str]) -> _Started | None:
    """Return what a command runs, None where that is not sure."""
    rest = list(argv)
    name = posixpath.basename(rest[0])
    if name in _STARTERS or name == "uv":
        places = (at for at, word in enumerate(rest) if at and _is_interpreter(word))
        at = next(places, 0)
        rest, name = rest[at:], posixpath.basename(rest[at])
    if _PYTHON.fullmatch(name):
        return _of_python(rest[1:])
    if name in _SHELLS:
        return _of_shell(rest[1:])
    return _of_launcher(rest[1:]) if name in _LAUNCHERS else None


def _is_interpreter(word: str) -> bool:
    name = posixpath.basename(word)
    return bool(_PYTHON.fullmatch(name)) or name in _SHELLS or name in _LAUNCHERS


def _of_python(words: Sequence[str]) -> _Started | None:
    """Return what a Python runs (its options: python(1))."""
    rest = iter(enumerate(words))
    for at, word in rest:
        if not word.startswith("-"):
            return _Started(word)
        if word in ("-W", "-X"):
            next(rest, None)
        elif word == "-m" and at + 1 < len(words):
            module = words[at + 1]
            if module.startswith(_LAUNCHER_MODULES):
                return _of_launcher(words[at + 2 :])
            return _Started(module, is_module=True)
        elif word == "-" or (word[1] not in "-WX" and ("c" in word or "m" in word)):
            return None
    return None


def _of_shell(words: Sequence[str]) -> _Started | None:
    """Return the script of a shell (its options: sh(1), bash(1))."""
    rest = iter(words)
    for word in rest:
        if not word.startswith(("-", "+")):
            return _Started(word)
        if word.startswith("--"):
            if word in ("--rcfile", "--init-file"):
                next(rest, None)
        elif "c" in word or "s" in word or word == "-":
            return None
        elif word.endswith(("o", "O")):
            next(rest, None)
    return None


def _of_launcher(words: Sequence[str]) -> _Started | None:
    """Return the script of a launcher: a Python file that is no option's value."""
    scripts = [at for at, word in enumerate(words) if word.endswith(".py")]
    sure = [at for at in scripts if not (at and words[at - 1].startswith("-"))]
    place = next(iter(sure or scripts), None)
    return None if place is None else _Started(words[place])


def _check_module(name: str, outgoing: Outgoing) -> None:
    """Refuse a module of a package that is in the folder and has no such module.

    A package that is not there may be one of the image's.
    """
    package, *inner = name.split(".")
    if not (outgoing.folder / package / "__init__.py").exists():
        return
    _check_there(f"{package}/__init__.py", outgoing)
    path = "/".join((package, *inner))
    if not any(outgoing.has(f"{path}{end}") for end in (".py", "/__main__.py")):
        _check_there(f"{path}.py" if inner else f"{path}/__main__.py", outgoing)


def _check_there(word: str, outgoing: Outgoing) -> None:
    """Refuse a file that will not be on the machine."""
    inside = _inside(word)
    if posixpath.isabs(word):
        if _is_here_alone(word, outgoing):
            message = (
                f"{word} is a path of this machine: write a path in {outgoing.folder}, "
                "or a program's name as the image has it"
            )
            raise UsageError(message)
        return
    if inside == ".." or inside.startswith("../"):
        message = f"{word} leads out of {outgoing.folder}, and only that is sent"
        raise UsageError(message)
    if outgoing.has(inside):
        return
    left = outgoing.left_at(inside)
    if left is not None and (outgoing.folder / inside).exists():
        reason = left.why if left.kind in HELD_BACK else f"ignored by {left.why}"
        needed = f"the command needs {word}, which stays here ({reason}): "
        raise UsageError(needed, *_way_out(left))
    message = f"there is no {word} in {outgoing.folder}{_nearest(inside, outgoing)}"
    raise UsageError(message)


def _is_here_alone(path: str, outgoing: Outgoing) -> bool:
    """Say whether a whole path is of the folder, or of a home on this machine."""
    places = (f"{outgoing.folder}/", "/home/", "/Users/")
    return os.path.normpath(path).startswith(places) and os.path.lexists(path)


def _nearest(inside: str, outgoing: Outgoing) -> str:
    """Return a question after the file whose name is the nearest, if one is near."""
    name = posixpath.basename(inside)
    by_name = {posixpath.basename(one): one for one in reversed(list(outgoing.files))}
    near = [by_name[name]] if name in by_name else []
    near += difflib.get_close_matches(inside, list(outgoing.files), 1)
    near += [by_name[one] for one in difflib.get_close_matches(name, list(by_name), 1)]
    return f": did you mean {near[0]}?" if near else ""


def _left_in(word: str, outgoing: Outgoing) -> Iterator[Left]:
    """Yield what stays here of what a word names, also behind its equals sign."""
    for text in dict.fromkeys((word, word.partition("=")[2])):
        inside = _inside(text)
        if not text or posixpath.isabs(text) or inside in (".", ".."):
            continue
        left = outgoing.left_at(inside)
        if left is not None and os.path.lexists(outgoing.folder / inside):
            yield left


def _inside(word: str) -> str:
    """Return a path as the list has it."""
    return posixpath.normpath(word)


def _way_out(left: Left) -> tuple[str | Given, ...]:
    """Return what to do about a file that the command needs and that stays here."""
    if left.kind in ("link", "special", "own"):
        return (
            *("put what it needs into the folder, or give ", Given("excludes")),
            f" {left.path} if the command only writes there",
        )
    return ("give ", Given("includes"), f" {left.path} to send it all the same")
