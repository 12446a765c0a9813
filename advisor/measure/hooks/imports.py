"""Something is done once the program has imported a module, and nothing before."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, Callable


class AfterImport:
    """A finder that finds nothing itself: it lets the others find one module.

    Once that module has run, `then` is called with it. The loader is the module's own, so
    that nothing of it looks other than without us.
    """

    def __init__(self, name: str, then: Callable[[Any], None]) -> None:
        self._name, self._then = name, then
        self._is_finding = False

    def find_spec(self, name: str, *_: Any) -> Any:
        """Return what the other finders say of the module, with our call behind it."""
        if name != self._name or self._is_finding:
            return None
        self._is_finding = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_finding = False
        loader: Any = getattr(spec, "loader", None)
        run = getattr(loader, "exec_module", None)
        if run is None:
            return spec

        def exec_module(module: Any) -> None:
            del loader.exec_module
            run(module)
            self.remove()
            self._then(module)

        loader.exec_module = exec_module
        return spec

    def install(self) -> None:
        """Come before all other finders."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Be asked no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
