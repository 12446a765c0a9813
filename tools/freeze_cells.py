"""Freeze which rows of the tables teach and are scored: ``models/cells.csv``.

Usage: ``python tools/freeze_cells.py [-o FILE]``

Run once for each version of the tables, before any fit that is reported.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.training.fit.cells import choose, save_cells
from advisor.training.fit.outliers import leave_out_outliers
from advisor.training.folder import CELLS, load_tables


def main() -> None:
    """Read the command line, choose, find the outliers, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=models_folder() / CELLS)
    arguments = parser.parse_args()
    tables, gpus = load_tables(models_folder()), load_gpus()
    cells = leave_out_outliers(tables, gpus, choose(tables, gpus))
    save_cells(cells, tables, arguments.output)
    for use, number in Counter(cells.use.tolist()).items():
        print(f"{number:6,}  {use or 'never considered'}")


if __name__ == "__main__":
    main()
