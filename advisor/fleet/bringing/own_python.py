"""The launcher's own Python as files that run on any Linux of the same architecture.

Its C library and the program that loads it are among the files, so that it matters little
which ones the image has, if any: an Alpine image, or one of an older Ubuntu, will do.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from advisor.fleet.bringing.packages import ALSO, PACKAGES, is_compiled, package_files

PYTHON = "bin/python"
"""Path of what starts it, in the folder of its files."""

_LEFT_OUT = frozenset(
    {"__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages"}
    | {"dist-packages", "test", "tests", "tkinter", "turtledemo"}
)
"""Folders of the standard library that need a screen, or that no worker reads."""

_MODULES_LEFT_OUT = re.compile(r"(_tkinter|nis|_?xx.*|_.*test.*)\.", re.ASCII)
"""Compiled modules that need a screen or libraries of their own, or that test Python."""

_LOADS = re.compile(r"^\s*(\S+) => (/.+) \(0x[0-9a-f]+\)$", re.MULTILINE)
"""A line of ``ld.so --list``, see `ldd(1)`: the name that is asked for, and the file."""

_PT_INTERP = 3
"""Kind of the header that names the program's loader, see `elf(5)`."""

# Programs that are started from there must not get these libraries, as they would by
# LD_LIBRARY_PATH; and `sys.executable` must be what starts it again.
_START = """\
#!/bin/sh
here=${{0%/*}}
exec "$here/../shared/{loader}" --inhibit-cache --library-path "$here/../shared" \\
  --argv0 "$here/python" "$here/{program}" "$@"
"""

_SITE = """\
import os
import sys

sys.path += [os.path.join(sys.prefix, name) for name in {folders}]
"""
"""Tells it where its packages are: Debian's Python looks elsewhere than others do."""


def own_python(also: Sequence[str] = ()) -> dict[str, Path | bytes] | None:
    """Return the files of this Python and of Dask: path in their folder -> file, or text.

    None: this one cannot be brought, as on macOS.

    Parameters
    ----------
    also : see `package_files`

    Raises
    ------
    UsageError
        as `package_files`
    """
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    loader = _loader(program)
    if not sys.platform.startswith("linux") or loader is None:
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = f"{sys.platlibdir}/{version}"
    packages = package_files(compiled=True, also=also)
    own = {f"bin/{version}": program}
    own |= {f"{library}/{name}": file for name, file in _standard_library()}
    shared: dict[str, Path] = {}
    for file in (program, *filter(is_compiled, (*own.values(), *packages.values()))):
        shared |= _libraries(loader, file)
    own |= {f"shared/{name}": file for name, file in shared.items()}
    code = {f"bin/{version}", *(path for path, one in own.items() if is_compiled(one))}
    site = _SITE.format(folders=(PACKAGES, ALSO))
    return {
        **packages,
        **{p: _without_debugging(f) if p in code else f for p, f in own.items()},
        f"shared/{loader.name}": loader,
        f"{library}/sitecustomize.py": site.encode(),
        PYTHON: _START.format(loader=loader.name, program=version).encode(),
    }


def _standard_library() -> Iterator[tuple[str, Path]]:
    root = Path(sysconfig.get_path("stdlib"))
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if path.parts[0].startswith("config-") or not _LEFT_OUT.isdisjoint(path.parts):
            continue
        if ".so" in file.suffixes and _MODULES_LEFT_OUT.match(file.name):
            continue
        if file.is_file():
            yield str(path), file


def _libraries(loader: Path, code: Path) -> dict[str, Path]:
    """Return the shared libraries that a program or module loads: name -> file."""
    listed = _output([str(loader), "--list", str(code)])
    return {name: Path(path).resolve() for name, path in _LOADS.findall(listed.decode())}


def _without_debugging(file: Path) -> Path | bytes:
    """Return a file of this Python without what only a debugger reads.

    A Python that was compiled here is half of that. Packages stay as they are: a program
    that was changed after it was linked, as auditwheel does, does not bear it.
    """
    strip = shutil.which("strip")
    if strip is None:
        return file
    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        lean = Path(folder) / file.name
        _output([strip, "-g", "-o", str(lean), str(file)])
        return lean.read_bytes() if lean.exists() else file


def _output(command: list[str]) -> bytes:
    done = subprocess.run(  # noqa: S603  (programs of this machine, no shell)
        command, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.stdout


def _loader(program: Path) -> Path | None:
    """Return what loads a program's libraries: ``/lib64/ld-linux-x86-64.so.2``.

    None: the program loads none, or is none of Linux on 64 bits.
    """
    body = program.read_bytes()
    if body[:6] != b"\x7fELF\x02\x01":  # 64 bits, the lowest first
        return None
    (headers,) = struct.unpack_from("<Q", body, 32)
    size, count = struct.unpack_from("<HH", body, 54)
    for at in range(headers, headers + size * count, size):
        kind, _, begin = struct.unpack_from("<IIQ", body, at)
        if kind == _PT_INTERP:
            return Path(body[begin : body.index(b"\0", begin)].decode())
    return None
