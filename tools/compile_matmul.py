"""Compile measured matrix-product rates into the table beside the GPU table.

Usage: ``python tools/compile_matmul.py RAW_FOLDER [-o FILE]``

`RAW_FOLDER` holds ``gpu_matmul.csv``. The result has one row a GPU of the project's
table: the median of the measured FP16 rates and their number. GPUs whose form factor
the source leaves open, and other makers' cards, are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from advisor.hardware.gpus import load_gpus


def compile_matmul(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the table: gpu, fp16_matmul_tflops, measurements, source."""
    gpus = load_gpus()
    known = raw["gpu_name"].isin([g.name for g in gpus.rows if g.vendor == "NVIDIA"])
    rows = raw[known & raw["fp16_matmul_tflops"].notna()]
    groups = rows.groupby("gpu_name")
    return pd.DataFrame(
        {
            "fp16_matmul_tflops": groups["fp16_matmul_tflops"].median().round(2),
            "measurements": groups.size(),
            "source": groups["source"].agg(lambda s: "; ".join(sorted(set(s)))),
        }
    ).rename_axis("gpu")


def main() -> None:
    """Read the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw_folder", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, default="advisor/hardware/data/matmul.csv"
    )
    arguments = parser.parse_args()
    table = compile_matmul(pd.read_csv(arguments.raw_folder / "gpu_matmul.csv"))
    table.to_csv(arguments.output, lineterminator="\n")
    print(f"{len(table)} GPUs -> {arguments.output}")


if __name__ == "__main__":
    main()
