"""Which rows of the tables are trained on and evaluated: ``models/row_use.csv``.

Frozen once for each version of the tables, before any fit that is reported. It takes
half a minute: outliers are found one at a time, by leaving each row out.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from advisor.hardware.gpus import load_gpus
from advisor.training.fit.outliers import leave_out_outliers
from advisor.training.fit.row_use import choose, save_row_use
from advisor.training.folder import ROW_USE, load_tables
from sources import ROOT, Texts


def build() -> Texts:
    """Return the list."""
    tables, gpus = load_tables(ROOT / "models"), load_gpus()
    row_use = leave_out_outliers(tables, gpus, choose(tables, gpus))
    with TemporaryDirectory() as folder:
        path = Path(folder) / ROW_USE
        save_row_use(row_use, tables, path)
        return {f"models/{ROW_USE}": path.read_text(encoding="utf-8")}
