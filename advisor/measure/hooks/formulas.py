"""The formulas of operations, which stand beside in `advisor.workloads.operations`.

That module needs nothing but PyTorch. It is read as a file, since no ``advisor`` can be
imported here.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_NAME = "_advisor_hooks.operations"


def formulas() -> Any:
    """Return the module of formulas.

    Raises
    ------
    FileNotFoundError
        if it is not where it stands beside this package
    """
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    path = Path(__file__).resolve().parents[2] / "workloads" / "operations.py"
    spec = importlib.util.spec_from_file_location(_NAME, str(path))
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_NAME] = module
    return module
