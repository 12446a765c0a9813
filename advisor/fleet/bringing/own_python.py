"""The launcher's own Python as files that run on any Linux of the same architecture.

Its C library and the program that loads it are among the files, so that it matters little
which ones the image has, if any: an Alpine image, or one of an older Ubuntu, will do.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from advisor.fleet.bringing.packages import is_compiled, package_files

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

sys.path.append(os.path.join(sys.prefix, "packages"))
"""
"""Where its packages are: Debian's Python looks elsewhere than others do."""


def own_python() -> dict[str, Path | bytes] | None:
    """Return the files of this Python and of Dask: path in their folder -> file, or text.

    None: this one cannot be brought, as on macOS.

    Raises
    ------
    UsageError
        if Dask is not installed here
    """
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    loader = _loader(program)
    if not sys.platform.startswith("linux") or loader is None:
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = f"{sys.platlibdir}/{version}"
    files: dict[str, Path | bytes] = {f"bin/{version}": program}
    files |= {f"{library}/{name}": file for name, file in _standard_library()}
    files |= {f"packages/{k}": v for k, v in package_files(compiled=True).items()}
    compiled = [f for f in files.values() if isinstance(f, Path) and is_compiled(f)]
    for code in (program, *compiled):
        files |= {f"shared/{k}": v for k, v in _libraries(loader, code)}
    files[f"shared/{loader.name}"] = loader
    files[f"{library}/sitecustomize.py"] = _SITE.encode()
    files[PYTHON] = _START.format(loader=loader.name, program=version).encode()
    return files


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


def _libraries(loader: Path, code: Path) -> Iterator[tuple[str, Path]]:
    """Yield the shared libraries that a program or module loads: name -> file."""
    listed = subprocess.run(  # noqa: S603  (this machine's own loader, no shell)
        [str(loader), "--list", str(code)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    for name, path in _LOADS.findall(listed.stdout):
        yield name, Path(path).resolve()


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
