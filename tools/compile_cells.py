"""Which rows of the tables teach and are scored: ``models/cells.csv``.

Frozen once for each version of the tables, before any fit that is reported. It takes
half a minute: outliers are found one at a time, by leaving each row out.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from advisor.hardware.gpus import load_gpus
from advisor.training.fit.cells import choose, save_cells
from advisor.training.fit.outliers import leave_out_outliers
from advisor.training.folder import CELLS, load_tables
from sources import ROOT, Texts


def build() -> Texts:
    """Return the list."""
    tables, gpus = load_tables(ROOT / "models"), load_gpus()
    cells = leave_out_outliers(tables, gpus, choose(tables, gpus))
    with TemporaryDirectory() as folder:
        path = Path(folder) / CELLS
        save_cells(cells, tables, path)
        return {f"models/{CELLS}": path.read_text(encoding="utf-8")}
