"""Load the hooks, then the ``sitecustomize`` that Python would have found here.

Python imports it as it starts, before the program. What follows of the program is as if
this folder had not been on the path; the variable stays, so that children are followed.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

_HOOKS = "_advisor_hooks"
_HERE = Path(__file__).resolve().parent


def _load_hooks() -> None:
    """Load the package beside this folder under a name that nothing else has."""
    folder = _HERE.parent
    spec = importlib.util.spec_from_file_location(
        _HOOKS, str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[_HOOKS] = module
    spec.loader.exec_module(module)
    importlib.import_module(f"{_HOOKS}.start").begin()


def _chain() -> None:
    """Run the next ``sitecustomize`` of the path in the place of this one."""
    sys.path[:] = [one for one in sys.path if Path(one or ".").resolve() != _HERE]
    spec = importlib.machinery.PathFinder.find_spec(__name__, sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


try:
    _load_hooks()
finally:
    _chain()
