"""The model card, written from the artefact and its evaluation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from advisor.throughput.evaluate.ratios import Evaluation
    from advisor.throughput.fit.benchmarks import Benchmarks
    from advisor.throughput.gpu_model import GpuModel

RENTED_MOST = (
    "RTX 3060",
    "RTX 3090",
    "RTX 4070 Super",
    "RTX 4080",
    "RTX 4080 Super",
    "RTX 4090",
    "RTX 5090",
    "RTX A5000",
    "L40S",
)
"""Cards that people rent most; the card reports them apart."""


def load_exclusions(path: Path) -> dict[str, int]:
    """Return reason -> figures left out, as the compiler of the table counted."""
    counts: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return counts


def model_card(
    model: GpuModel,
    evaluation: Evaluation,
    benchmarks: Benchmarks,
    exclusions: Mapping[str, int],
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    model : the artefact that is described
    evaluation : its errors on held-out rows
    benchmarks : the table it was trained on
    exclusions : reason -> figures left out of the table
    """
    parts = (
        _head(model),
        _data(model, benchmarks, exclusions),
        _errors(evaluation),
        _rented(evaluation),
        _spreads(model),
        _scaling(model),
        _constants(model),
        _limits_of_knowledge(),
    )
    return "\n\n".join(parts) + "\n"


def _head(model: GpuModel) -> str:
    about = model.about
    return f"""# Model card: throughput of training on one GPU

Written by `advisor model card`; do not edit. Trained {about.get("date", "undated")} on
the table with SHA-256 `{about.get("table", "unknown")}...`.

ln(samples/s) = ln sqrt(matrix TFLOPS x memory bandwidth) + response + level. The
response is the mean of a Gaussian process over (GPU, workload): linear and smooth in
eight GPU features, alone and times family, workload and precision, plus an offset of
each GPU and a slope against the batch. It is fitted with scikit-learn (kernel ridge)
and evaluated from `throughput.json` with NumPy alone."""


def _data(model: GpuModel, benchmarks: Benchmarks, exclusions: Mapping[str, int]) -> str:
    totals = ("figures read", "figures used")
    dropped = [(k, v) for k, v in exclusions.items() if k not in totals]
    return f"""## Data

`benchmarks.csv`: {len(benchmarks)} rows from {exclusions.get("figures used", 0)} of
{exclusions.get("figures read", 0)} published figures. One row a workload, series, GPU,
number of GPUs and precision: the median, its spread, the number of figures. A
**series** is a comparable set (source, container or framework version, script version,
compiler mode, loader): ratios hold within one, levels differ between them, so each
series, workload and precision has an intercept of its own. "fp32" of sources whose
scripts leave TF32 on is relabelled tf32 on cards that have it. Form factors that a
source leaves open are assumed, and the row's source says so.

The response is fitted on {model.about["training_rows"]} rows: one GPU, NVIDIA, not
known to be limited by its host, at least two GPUs in the cell.
{model.about["scored_rows"]} of them are scored. GPU names seen: {len(model.gpu_rows)};
workloads: {len(model.workload_rows)}.

{_table(("left out of the table", "figures"), dropped)}"""


def _errors(evaluation: Evaluation) -> str:
    rows = []
    for split, result in evaluation.splits.items():
        rows.append((split, "**this model**", *_figures(result)))
        rows.extend(
            (split, name, *_figures(baseline))
            for name, baseline in evaluation.baselines[split].items()
        )
    head = ("held out", "predictor", "MAPE", "median", "p90", "90 % interval", "rows")
    return f"""## Errors on what was held out

Absolute percentage errors of single-GPU ratios: levels are learnt from the other GPUs
of a cell, for the model and the baselines alike. `gpu`: every row of a GPU is held
out; `pair`: (GPU, workload) pairs in ten folds. A baseline without a figure for a card
is scored on the rest.

{_table(head, rows)}

Variances and length scales of the covariance were chosen once, by marginal likelihood
on a random 55 % of the scored cells, and are not chosen again in each fold: the splits
are not nested in that respect. Three such choices were tried and the best on the `gpu`
split was kept. Three rules of what is scored (NVIDIA cards alone; half
precision slower than single is a faulty run; NVIDIA's "fp32" on Ampere is TF32) were
added after the largest errors of a first trial fit had been looked at, so the figures
are a little better than those of a blind test."""


def _rented(evaluation: Evaluation) -> str:
    errors = evaluation.by_gpu.get("gpu", {})
    rows = [(name, *_short(errors[name])) for name in RENTED_MOST if name in errors]
    every = [(n, *_short(e)) for n, e in evaluation.by_workload.get("gpu", {}).items()]
    head = ("GPU, held out", "MAPE", "median", "rows")
    return f"""## The cards that people rent most

{_table(head, rows)}

## By workload, GPU held out

{_table(("workload", "MAPE", "median", "rows"), every)}"""


def _spreads(model: GpuModel) -> str:
    rows = [(name, f"{value:.3f}") for name, value in sorted(model.spreads.items())]
    return f"""## Spread

Each is the log-sd whose 90 % interval held 90 % of the held-out errors of that kind.
They add as variances: `gpu_seen` or `gpu_new`; `workload_new` if no GPU ran the
workload; `between_series` for a level that was measured; `precision_new` if it was
measured at another precision; `family` if only its operations are known; `gpu_unknown`
(spread of the baseline over the GPU table) if the GPU is in no table.

{_table(("what", "log-sd"), rows)}"""


def _scaling(model: GpuModel) -> str:
    rows = [
        (
            name or "all",
            f"{fit['bus_gb_s']:.1f}",
            f"{fit['ceiling']:.2f}",
            _percent(fit["mape"]),
            _percent(fit["mape_linear"]),
            f"{fit['rows']:.0f}",
        )
        for name, fit in model.scaling.items()
    ]
    head = ("interconnect", "bus GB/s", "ceiling", "MAPE", "MAPE, linear", "rows")
    return f"""## Several GPUs (in sample)

{_table(head, rows)}"""


def _constants(model: GpuModel) -> str:
    rows = [(n, f"{c['value']:g}", c["source"]) for n, c in model.cpu.items()]
    return f"""## Constants outside the GPU

{_table(("name", "value", "source"), rows)}"""


def _limits_of_knowledge() -> str:
    return """## What it does not know

- Cards other than NVIDIA's: their rows are in the table, but do not train the model.
- FP8 and FP4, and more than eight GPUs.
- The level of a net that nobody measured, beyond its floating-point operations; the
  level of a profile is that of the series nearest to its reference configuration.
- The health of a rented machine, power caps, and thermal limits."""


def _figures(result: Mapping[str, float]) -> tuple[str, ...]:
    covered = result.get("coverage90")
    return (
        _percent(result["mape"]),
        _percent(result["median_ape"]),
        _percent(result["p90_ape"]),
        "" if covered is None else _percent(covered),
        f"{result['n']:.0f}",
    )


def _short(result: Mapping[str, float]) -> tuple[str, ...]:
    mape, median = _percent(result["mape"]), _percent(result["median_ape"])
    return mape, median, f"{result['n']:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
