"""Count the nets of ``tests/workloads/hf_architectures.json`` again.

Usage: ``python tools/hf_counts.py``, with the extra ``hf``. Each net is built by the
library on the meta device; its class, its parameters, those that a token goes through and
the operations of a forward pass over 64 tokens are written beside its configuration, with
the version that counted them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.workloads.hf import library
from advisor.workloads.hf.settings import Settings

DATA = Path(__file__).parents[1] / "tests" / "workloads" / "hf_architectures.json"
TOKENS = 64


def counted(name: str, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the library says of a configuration; None where it does not know it."""
    settings = Settings(config, name)
    if not library.knows(settings.kind):
        return None
    built = library.build(settings, None)
    return {
        "transformers": built.version,
        "class": built.name,
        "parameters": built.parameters,
        "active": built.active,
        "forward_flops": library.forward_flops(built, TOKENS, TOKENS),
    }


def main() -> None:
    """Count them all."""
    nets = json.loads(DATA.read_text(encoding="utf-8"))
    for name, net in nets.items():
        net["counted"] = counted(name, net["config"])
    # A net a line: what changes with a version is seen at once.
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(net)}" for name, net in nets.items()
    )
    DATA.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
