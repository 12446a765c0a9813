"""The tools are scripts: their modules are imported from their own folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what imports a module of ``tools/`` by its name."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module
