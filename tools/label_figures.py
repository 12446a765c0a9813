"""The labels of all figures at once: those stated, those derived, what FP32 was."""

from __future__ import annotations

import pandas as pd

from benchmark_labels import DERIVED, LABELS, labels_of
from benchmark_names import ASSUMED_GPU, TF32_ON
from compile_gpus import read_gpus
from single_precision import ran_of, single_precision


def labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the `LABELS` and `DERIVED` of each figure, empty where nobody states one."""
    gpus = read_gpus()
    nvidia = gpus[gpus["vendor"].eq("NVIDIA")].set_index("name")["compute_capability"]
    run = ["source", "source_path", "model", "gpu_name"]
    single = rows["stated"].where(rows["stated"].isin(["fp32", "tf32"]))
    both = single.groupby([rows[column] for column in run]).transform("nunique").gt(1)
    found = []
    for figure, contrasted in zip(rows.to_dict("records"), both, strict=True):
        known = labels_of(figure)
        gpu = ASSUMED_GPU.get(figure["gpu_name"], figure["gpu_name"])
        on = bool(TF32_ON.search(figure["source"]))
        ran = ran_of(figure, nvidia.get(gpu), on)
        ran = ran._replace(script="off") if contrasted and not on else ran
        found.append(known | {"single_precision": single_precision(ran)})
    return pd.DataFrame(found, index=rows.index)[[*LABELS, *DERIVED]]
