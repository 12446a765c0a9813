"""One module knows where the market's API is."""

from __future__ import annotations

from pathlib import Path

import advisor

PACKAGE = Path(advisor.__file__).parent


def test_no_other_module_names_a_path_of_the_api() -> None:
    """But for the client, and the simulator that stands in for the market."""
    naming = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "/api/v" in path.read_text(encoding="utf-8")
    }
    assert "market/vast/client.py" in naming
    simulator = {name for name in naming if name.startswith("simulator/")}
    assert naming - simulator == {"market/vast/client.py"}
