"""The model card, written from the artifact and its evaluation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.throughput.intercept import Needs
from advisor.throughput.scaling import CLASSES
from advisor.training.evaluate.card_known import known_section, needed_section
from advisor.training.evaluate.card_limits import limits_section, targets_section
from advisor.training.evaluate.card_words import LIMITS_OF_KNOWLEDGE, TRIED
from advisor.training.evaluate.markdown import percent, share, table
from advisor.training.evaluate.run import RENTED
from advisor.training.evaluate.set_up import OTHER_WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.hardware.constants import Constant
    from advisor.throughput.artifact import ThroughputModel
    from advisor.training.evaluate.needed import Needed
    from advisor.training.evaluate.run import Evaluation
    from advisor.training.fit.benchmarks import Benchmarks
    from advisor.training.fit.row_use import RowUse


def model_card(
    model: ThroughputModel,
    evaluation: Evaluation,
    benchmarks: Benchmarks,
    row_use: RowUse,
    exclusions: Mapping[str, int],
    *,
    needed: Sequence[Needed],
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    model : the artifact that is described
    evaluation : its errors on held-out rows, every split
    benchmarks : the table it was trained on
    row_use : the use of each row of the tables
    exclusions : reason -> figures left out of the table
    needed : what cards that people rent would take
    """
    parts = (
        _head(model),
        targets_section(evaluation),
        limits_section(evaluation),
        _data(model, benchmarks, exclusions),
        _row_use(row_use),
        _splits(evaluation),
        _regret(evaluation),
        _calibration(),
        known_section(evaluation.known),
        _groups(evaluation),
        needed_section(needed),
        _multi(model, evaluation),
        _spreads(model),
        _constants(model),
        TRIED,
        LIMITS_OF_KNOWLEDGE,
    )
    return "\n\n".join(parts) + "\n"


def _head(model: ThroughputModel) -> str:
    about = model.provenance.to_dict()
    return f"""# Model card: throughput of training

Written by `advisor model card`; do not edit. Trained {about.get("date", "undated")} on
the table with SHA-256 `{about.get("table", "unknown")}...`, its auxiliary rows
`{about.get("auxiliary", "unknown")}...` and the frozen list of the use of each row
`{about.get("cells", "unknown")}...`.

ln(samples/s of one GPU) = ln sqrt(matrix TFLOPS x memory bandwidth) + f. f is a Gaussian
process over (GPU, batch, kind of work): linear and smooth in nine features of the GPU,
each alone and times family, workload, precision; an offset of each GPU; what a step costs
beside its samples, workload by workload; intercepts of workload, precision, framework,
memory format, source, container and host.
A profile comes from no source, so the variance between them is part of its interval. The
artifact holds the posterior itself (what workloads share: on {about["points"]:,} inputs):
NumPy alone gives the mean and the spread of the fitted process."""


def _data(
    model: ThroughputModel, benchmarks: Benchmarks, exclusions: Mapping[str, int]
) -> str:
    totals = ("figures read", "figures used")
    dropped = [(k, f"{v:,}") for k, v in exclusions.items() if k not in totals]
    about, coverage = model.provenance, model.coverage
    alone = len(model.gpu.observations)
    return f"""## Data

`benchmarks.csv`: {len(benchmarks):,} rows from {exclusions.get("figures used", 0):,} of
{exclusions.get("figures read", 0):,} published figures. One row per workload, series,
GPU, number of GPUs and precision: the median, its spread, the number of figures. A
**series** is a comparable set (source, container or framework version, script version,
compiler mode, loader). "fp32" of sources whose scripts leave TF32 on is relabeled tf32
on cards that have it. Form factors that a source leaves open are assumed, and the row's
source says so. `auxiliary.csv`: inference rates (timm, Stable Diffusion, llama.cpp),
which train the ratios between cards and are never evaluated.

{about.training_rows:,} rows train the model, {about.scored_rows:,} of them are evaluated.
{about.lower_bounds} rows that input or kernel launches limit count as lower bounds of the
GPU's rate; {about.binding_lower_bounds} of them bind. {len(coverage.gpu_rows)} GPUs and
{len(coverage.workload_rows):,} workloads, {alone:,} of them on one GPU alone.

{table(("left out of the table", "figures"), dropped)}"""


def _row_use(row_use: RowUse) -> str:
    left = row_use.use == "left out"
    kinds = Counter(
        str(reason).split(":")[0].split(" ")[0] for reason in row_use.reason[left]
    )
    rows = sorted(kinds.items())
    return f"""## What is evaluated

`row_use.csv` says of every row whether it trains the model (`taught`), is evaluated too
(`scored`), or is left out, with the reason; it was frozen before the fits reported here.
Evaluated: one NVIDIA GPU, not known to be limited by its host, a stated precision, a unit
that counts work, at least three GPUs in the comparison group (series, workload,
precision). Left out are {int(left.sum())} rows, of which
{int((left & row_use.would_be_evaluated).sum())} would be evaluated; the errors with them
are below. Outliers were found one at a time by leave-one-out. Some rules were written
after the largest errors of trial fits had been looked at (see
`advisor.training.fit.row_use`).

{table(("left out: kind of reason", "rows"), rows)}"""


def _splits(evaluation: Evaluation) -> str:
    rows = []
    for split, own in evaluation.splits.items():
        rows.append((split, "**this model**", *_figures(own)))
        for part, words in (
            ("rented", "cards rented most"),
            ("true_fp32", "plain FP32, no TF32"),
            ("with_left_out", "with what is left out"),
            ("cpu_bound", "rows that the CPU binds"),
            (OTHER_WORKLOADS, "other workloads"),
        ):
            if part in own:
                rows.append(("", words, *_figures(own[part])))
        for beside in (evaluation.baselines, evaluation.regressors):
            for name, errors in beside.get(split, {}).items():
                rows.append(("", name, *_figures(errors)))
                if OTHER_WORKLOADS in errors:
                    words = f"{name}, other workloads"
                    rows.append(("", words, *_figures(errors[OTHER_WORKLOADS])))
    intervals = [
        (split, *(_interval(own["intervals"].get(k)) for k in ("mape", "coverage90")))
        for split, own in evaluation.splits.items()
        if own.get("intervals")
    ]
    head = ("held out", "predictor", "MAPE", "median", "p90", "90 % interval", "rows")
    return f"""## Errors on what was held out

Absolute percentage errors. **Nested**: the covariance and the factor on its spread are
chosen anew without each group of GPU dies, workloads, series or sources; nothing that was
fitted has seen what it is evaluated on. The form of the covariance and the values that
its fit starts from were settled on the same tables.

- `pair`, `gpu`, `family` (all cards of a die), `model` (all rows of a workload): ratios;
  the intercept of a comparison group (series, workload, precision) is learned from its
  other rows, for the baselines alike.
- `model_one_run`: one other row alone gives the intercept, as after one run of the
  user's.
- `model_absolute`: nothing does but what nets of its kind and size compute at.
- `series`, `source`: a container, or a source as a whole, is held out; the intercept
  comes from the others: how far the absolute throughput of a stranger's set-up is off.
- `setup_one_run`, `setup_three_runs`: the same, and one row (three) are a user's runs:
  what they say of the other rows of the same workload, and of other workloads. Beside it
  plain scaling: every prediction times measured / predicted. `_series`: a series is held
  out. Apart by what a row shares with a run in "What limits what falls short".
- `multi`: the efficiency of several GPUs, GPU held out (`multi_pair`, `multi_workload`:
  the pair, the workload); `_8`: of eight.
- `ridge`, `nearest_neighbors`, `random_forest`, `gradient_boosting`, `gaussian_process`:
  scikit-learn's regressors with the model's features, folds and rows, settings as they
  come (see `advisor.training.evaluate.regressors`).
- `cpu`: image rates of a CPU that was held out; `synergy_*`: throughput against
  cores (V100), nets held out in turn; `real_synthetic`: real against synthetic data,
  machines held out.

{table(head, rows)}

90 % intervals of the summaries, bootstrap clustered by GPU:

{table(("held out", "MAPE", "coverage"), intervals)}"""


def _regret(evaluation: Evaluation) -> str:
    rows = []
    for offers, policies in evaluation.regret.items():
        for policy, own in policies.items():
            extra = own.get("mean_extra")
            ends = [own.get("mean_extra_low"), own.get("mean_extra_high")]
            rows.append(
                (
                    offers,
                    policy,
                    "" if extra is None else percent(extra),
                    _interval(None if None in ends else ends),
                    share(own.get("hit3")),
                    "" if "kendall_tau" not in own else f"{own['kendall_tau']:.2f}",
                    own["n"],
                )
            )
    head = ("offers", "chosen by", "extra $", "90 %", "hit@3", "Kendall tau", "groups")
    return f"""## What a choice by it costs

Mean extra $ per sample of the first pick over the best in hindsight, among real one-GPU
offers (Vast.ai, August 2026; `prices.csv`): all of them, and those with at least 40 GB.
`advisor` has never seen the GPU it judges, `advisor_pair` has, with other workloads.

{table(head, rows)}"""


def _calibration() -> str:
    return """## Calibration

![Observed against nominal coverage](calibration.svg)"""


def _groups(evaluation: Evaluation) -> str:
    by_gpu, by_work = evaluation.by_gpu.get("gpu", {}), evaluation.by_workload.get("gpu")
    head = ("MAPE", "median", "90 % interval", "rows")
    rented = [(name, *_short(by_gpu[name])) for name in RENTED if name in by_gpu]
    others = [(n, *_short(e)) for n, e in by_gpu.items() if n not in RENTED]
    works = [(name, *_short(errors)) for name, errors in (by_work or {}).items()]
    sources = [
        (split, name, *_short(errors))
        for split in ("source", "series")
        for name, errors in evaluation.by_source.get(split, {}).items()
    ]
    return f"""## By GPU, all of its rows held out

Rented most (no evaluated row: {", ".join(n for n in RENTED if n not in by_gpu)}):

{table(("GPU", *head), rented)}

Others:

{table(("GPU", *head), others)}

## By workload, GPU held out

{table(("workload", *head), works)}

## By source

{table(("held out", "source", *head), sources)}"""


def _multi(model: ThroughputModel, evaluation: Evaluation) -> str:
    scaling = model.scaling
    fitted = [
        (
            name,
            f"{scaling.share[name]:.2f}",
            f"{scaling.contention[name]:.2f}",
            percent(scaling.loss[name]),
            f"{scaling.rows[name]:.0f}",
        )
        for name in CLASSES
    ]
    rows = [
        (split, group, *_figures(own))
        for split, groups in evaluation.multi.get("splits", {}).items()
        for group, own in groups.items()
        if own["n"]
    ]
    links = ("interconnect", "bus / link", "contention", "lost per doubling", "rows")
    head = ("held out", "pairs", "MAPE", "median", "p90", "90 % interval", "n")
    return f"""## Several GPUs

{table(links, fitted)}

{table(head, rows)}"""


def _spreads(model: ThroughputModel) -> str:
    own = model.gpu.covariance.own
    rows = [(name, f"{value:.2f}") for name, value in model.gpu.spread_factors.items()]
    guessed = model.gpu.intercepts
    families = [*guessed.families, "any other"]
    size = float(np.exp(guessed.center[0]))
    usual = Needs(
        family=families,
        lineage=[""] * len(families),
        gflops=np.full(len(families), size),
        params_m=np.full(len(families), size * float(np.exp(guessed.center[1]))),
    )
    _, spreads = guessed.predict(usual)
    intercepts = [(name, f"{sd:.2f}") for name, sd in zip(families, spreads, strict=True)]
    return f"""## Spread

The spread of a prediction is the posterior's with what a configuration shares with no
other (host, source, container: log-sd {np.sqrt(own):.2f}), times a factor with which 90 %
intervals held 90 % of held-out rows: pairs (GPU seen with other workloads), GPUs (new),
sources (`own`); the larger one counts.

{table(("case", "factor"), rows)}

The level of a workload that nobody measured is regressed on its operations, parameters,
family and lineage (nets whose names begin alike; {len(guessed.lineages)} of them). A
workload is about it with a log-sd of {np.sqrt(guessed.noise):.2f}; the log-sd of the
level of a new lineage, at the usual size, is by family:

{table(("family", "log-sd"), intercepts)}"""


def _constants(model: ThroughputModel) -> str:
    rows = [
        (name, f"{one.value:.4g}", _spread_of(one), one.unit, one.source)
        for name, one in model.constants.items()
    ]
    return f"""## Constants outside the GPU

{table(("name", "value", "spread", "unit", "source"), rows)}"""


def _spread_of(constant: Constant) -> str:
    for words, spread in (("log-sd", constant.log_sd), ("sd", constant.sd)):
        if spread is not None:
            return f"{words} {spread:.2g}"
    return ""


def _figures(result: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("mape", "median_ape", "p90_ape", "coverage90")
    return (*(share(result.get(name)) for name in names), f"{result['n']:,}")


def _short(result: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("mape", "median_ape", "coverage90")
    return (*(share(result.get(name)) for name in names), f"{result['n']:,}")


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
