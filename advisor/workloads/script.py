"""A function of the user's own, from a file or from a module that can be imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.base.errors import UsageError


def load_function(target: str, folder: Path) -> Callable[..., Any]:
    """Return the function of ``script.py:function`` or ``package.module:function``.

    A file is run as Python runs a script: it finds the modules beside it. A module is
    looked for in `folder` too.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such file, module or function, or it cannot be run
    """
    place, _, name = target.rpartition(":")
    if not place or not name.isidentifier():
        raise UsageError(_expected(target))
    path = folder / place
    if path.is_file():
        module = _run(place, lambda: _of_file(path), path.resolve().parent)
    elif all(part.isidentifier() for part in place.split(".")) and place[-3:] != ".py":
        module = _run(place, lambda: importlib.import_module(place), folder)
    else:
        raise UsageError(_expected(target))
    function = getattr(module, name, None)
    if not callable(function):
        message = f"{place}: there is no function {name}"
        raise UsageError(message)
    return function  # type: ignore[no-any-return]


def _expected(target: str) -> str:
    return f"{target!r}: script.py:function is expected, of a file that is there"


def _run(place: str, load: Callable[[], ModuleType], folder: Path) -> ModuleType:
    """Return a module that is loaded with a folder to import from."""
    sys.path.insert(0, str(folder))
    try:
        return load()
    except (Exception, SystemExit) as error:
        message = f"{place} cannot be run: {type(error).__name__}: {error}"
        raise UsageError(message) from error
    finally:
        # What the function imports when it is called is found as well: the folder goes
        # behind everything else instead of away.
        sys.path.remove(str(folder))
        sys.path.append(str(folder))


def _of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        message = "a Python file is expected"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by its name.
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return module
