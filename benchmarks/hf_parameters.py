"""Parameters of known nets: by formula, by the library, and as published.

Usage: ``python benchmarks/hf_parameters.py > docs/hf-parameters.md``. Nets and the
library's counts are those of ``tests/workloads/hf_architectures.json``, which
``tools/hf_counts.py`` counts again where the extra ``hf`` is installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.workloads.hf.families import KNOWN, net_by_formula
from advisor.workloads.hf.settings import Settings

DATA = Path(__file__).parents[1] / "tests" / "workloads" / "hf_architectures.json"

HEAD = """\
# Parameters of nets of the Hugging Face hub

Made by `python benchmarks/hf_parameters.py > docs/hf-parameters.md`; all in millions.

- formula: `advisor/workloads/hf`, nothing installed
- library: transformers {versions} on the meta device (`python tools/hf_counts.py`)
- active: what a token goes through or is looked up in, where that is less
- published: by authors or in the files of the hub, from memory
- difference: of the formula from the library

Where a file of T5 states `tie_word_embeddings: false`, the head counts as a matrix of
its own in both: the library ties it when it builds from the file alone, and keeps both
when it loads weights that have both, as those of T5 1.1, FLAN-T5 and mT5 do.

| net | model_type | formula | library | active | published | difference |
|---|---|--:|--:|--:|--:|--:|\
"""


def row(name: str, net: dict[str, Any]) -> tuple[str, float | None]:
    """Return a line of the table, and how far formula and library are apart."""
    settings = Settings(net["config"], name)
    formula = None
    if settings.kind in KNOWN:
        formula = net_by_formula(settings).parameters
    counted = net["counted"]
    apart = None
    if formula is not None and counted is not None:
        apart = formula / counted["parameters"] - 1.0
    active = counted and counted["active"] != counted["parameters"] and counted["active"]
    cells = (
        name,
        settings.kind,
        millions(formula),
        millions(counted and counted["parameters"]),
        millions(active or None),
        f"{net['published_m']:,.1f}",
        "" if apart is None else f"{apart:.2%}",
    )
    return f"| {' | '.join(cells)} |", apart


def millions(number: float | None) -> str:
    """Return a number in millions; nothing where there is none."""
    return "" if number is None else f"{number / 1e6:,.1f}"


def main() -> None:
    """Print the table, and what it says in short."""
    nets = json.loads(DATA.read_text(encoding="utf-8"))
    found = [row(name, net) for name, net in nets.items()]
    known = {net["counted"]["transformers"] for net in nets.values() if net["counted"]}
    print(HEAD.format(versions=" and ".join(sorted(known))))
    for line, _ in found:
        print(line)
    apart = [abs(one) for _, one in found if one is not None]
    kinds = {net["config"]["model_type"] for net in nets.values() if net["counted"]}
    print(
        f"\n{len(apart)} nets are known both by formula and to the library, at most "
        f"{max(apart):.2%} apart; the library counts {len(kinds)} types of model here."
    )


if __name__ == "__main__":
    main()
