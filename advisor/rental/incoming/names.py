"""Names that what a machine sent gets here.

Many programs obey files by their name and place alone: git runs what a ``.git/config``
names, a shell's hooks read an ``.envrc``, ``make`` a ``Makefile``, Python a
``sitecustomize.py`` in the working folder or above it. What a stranger's machine sent is
data, and has none of these names:

- what begins with a dot, unless it is a part of a known format of data (`_DATA`): there
  is no end of such programs, and they all look for a hidden name;
- ``HEAD``, without which no folder is a repository of git, however it is called;
- names without a dot that programs look for by themselves (`_OBEYED`);
- what begins with a dash, or holds a character that is not printed.

Names are compared as the least strict of file systems does, see `_as_compared`.

Such an entry is called ``advisor-renamed+`` and its own name, which `original` finds
again: a checkpoint gets its own names back on the next machine.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

INCOMING = ".advisor-incoming"
"""Folder in which what comes from a machine lands first; it is sent to none."""

USELESS = (
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
)
"""Names that a machine is not asked for: made anew here, of no use here."""

_PREFIX = "advisor-renamed"
_RENAMED = re.compile(r"advisor-renamed(?:[1-9]\d{0,5})?\+(.+)", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")  # of a name that was too long to be told
_LONGEST_BYTES = 255  # of a name, on about any file system

# Where each is from: torch.distributed.checkpoint (filesystem.py), torchsnapshot
# (snapshot.py), zarr's format 2, Hydra (hydra.output_subdir), Ray Train and Tune,
# Hadoop's checksum files, and marks that keep an empty folder in a repository.
_DATA = re.compile(
    r"\.metadata|\.snapshot_metadata|\.z(?:array|group|attrs|metadata)|\.hydra"
    r"|\.is_checkpoint|\.tune_metadata|\..+\.crc|\.(?:git)?keep"
)

_OBEYED = frozenset(
    # Version control
    "head cvs _darcs _fossil_"  # noqa: SIM905  (a list would be a page long)
    # Python, its tests and tools
    " sitecustomize.py usercustomize.py conftest.py setup.py setup.cfg pyproject.toml"
    " pytest.ini tox.ini noxfile.py mypy.ini ruff.toml pyrightconfig.json pyvenv.cfg"
    " __pycache__ venv tasks.py fabfile.py dodo.py"
    # JavaScript's
    " package.json node_modules tsconfig.json deno.json bunfig.toml gulpfile.js"
    " gruntfile.js"
    # Builds
    " makefile gnumakefile bsdmakefile justfile taskfile.yml taskfile.yaml rakefile"
    " gemfile cmakelists.txt meson.build pom.xml build.gradle build.gradle.kts"
    " settings.gradle settings.gradle.kts cargo.toml go.work build.bazel module.bazel"
    " snakefile nextflow.config dvc.yaml mlproject lefthook.yml"
    # What sets up a folder's environment
    " flake.nix shell.nix default.nix devenv.nix devbox.json mise.toml pixi.toml"
    " vagrantfile procfile dockerfile containerfile docker-compose.yml"
    " docker-compose.yaml compose.yml compose.yaml ansible.cfg"
    # Agents, other interpreters, file managers, advisor itself
    " agents.md claude.md gemini.md startup.m desktop.ini autorun.inf"
    " advisor.toml".split()
)
"""In lower case."""

_OBEYED_SHAPES = (
    re.compile(r".+\.config\.[cm]?[jt]s"),  # of JavaScript's tools
    re.compile(r"[^.~]{1,6}~\d{1,6}(?:\.[^.]{0,3})?"),  # short for another, on NTFS
)
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of characters that act on a terminal, or do not show."""

_LETTER_JOINERS = frozenset("\u200c\u200d")  # words of some scripts need them
_ESCAPED = re.compile(r"%([0-9A-F]{2}(?:%[0-9A-F]{2})*)")


def safe_name(name: str) -> str:
    r"""Return the name that an entry of a machine's gets here, mostly its own.

    Examples
    --------
    >>> safe_name("model.pt"), safe_name(".metadata"), safe_name(".git")
    ('model.pt', '.metadata', 'advisor-renamed+.git')
    >>> safe_name("a\nb")
    'advisor-renamed+a%0Ab'
    """
    if not (_is_obeyed(name) or _is_odd(name) or name.startswith(_PREFIX)):
        return name
    return _renamed(_PREFIX, "".join(map(_escaped, name)))


def safe_path(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a path, each as it is here."""
    return tuple(map(safe_name, names))


def another(name: str, number: int) -> str:
    """Return the name of an entry whose own is taken here, the `number`-th.

    Examples
    --------
    >>> another("model.pt", 2)
    'advisor-renamed2+model.pt'
    """
    found = _RENAMED.fullmatch(name)
    escaped = found[1] if found else "".join(map(_escaped, name))
    return _renamed(f"{_PREFIX}{number}", escaped)


def original(name: str) -> str | None:
    """Return the name that an entry had on its machine, None if it was not renamed.

    Examples
    --------
    >>> original("advisor-renamed+.git"), original("model.pt")
    ('.git', None)
    """
    found = _RENAMED.fullmatch(name)
    if found is None or _DIGEST.fullmatch(found[1]):
        return None
    own = _ESCAPED.sub(
        lambda one: _text(bytes.fromhex(one[1].replace("%", ""))), found[1]
    )
    is_name = own not in (".", "..") and "/" not in own and "\0" not in own
    return own if is_name else None


def _renamed(prefix: str, escaped: str) -> str:
    """Return a new name that tells the old one, or is made from it where that is long."""
    name = f"{prefix}+{escaped}"
    if len(_bytes(name)) <= _LONGEST_BYTES:
        return name
    return f"{prefix}+{hashlib.sha256(_bytes(escaped)).hexdigest()}"


def _is_obeyed(name: str) -> bool:
    """Say whether a program may obey what is called so."""
    compared = _as_compared(name)
    if compared.startswith(".") or not compared:
        return not _DATA.fullmatch(name)
    if compared in _OBEYED:
        return True
    return any(shape.fullmatch(compared) for shape in _OBEYED_SHAPES)


def _is_odd(name: str) -> bool:
    """Say whether a name acts on a terminal, or on a command line."""
    return name.startswith("-") or any(map(_is_unseen, name))


def _is_unseen(char: str) -> bool:
    if "\udc80" <= char <= "\udc9f":  # a byte that is no text, and acts on a terminal
        return True
    return unicodedata.category(char) in _UNSEEN and char not in _LETTER_JOINERS


def _as_compared(name: str) -> str:
    """Return a name as a file system may see it.

    Without regard to case and kinds of the same letter (APFS, NTFS), without characters
    that are ignored (HFS+), without what NTFS drops: dots and spaces at the end, and the
    name of a stream.
    """
    plain = "".join(c for c in name if unicodedata.category(c) not in _UNSEEN)
    folded = unicodedata.normalize("NFKC", plain).casefold()
    return folded.partition(":")[0].rstrip(". ") or folded[:1]


def _escaped(char: str) -> str:
    """Return a character of a name, as it is told in one that is printed."""
    if char == "%" or _is_unseen(char):
        return "".join(f"%{byte:02X}" for byte in _bytes(char))
    return char


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")
