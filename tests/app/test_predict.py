"""A prediction without a market is the prediction of the same machine in one."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import advisor
from advisor.app.predict import Prediction, predict
from advisor.base.errors import NothingFitsError, UsageError
from advisor.cost.bill import Job
from advisor.market.filters import Filters
from advisor.ranking.rank import rank
from advisor.report.predicted import predicted_document
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()
CPU = "AMD EPYC 7702"

SERIAL = {"gpu", "gradients"}


def predicted(gpu: str = "RTX 4090", num_gpus: int = 1, **more: Any) -> Prediction:
    return predict("resnet50", gpu, num_gpus, tables=TABLES, **more)


@settings(max_examples=30, deadline=None)
@given(
    gpu=st.sampled_from(["RTX 3060", "RTX 4090", "A100-SXM4-80GB", "H100-SXM5-80GB"]),
    num_gpus=st.integers(1, 8),
    cpu=st.sampled_from([None, CPU, "Xeon(R)"]),
    threads=st.floats(1, 256),
    cpu_ghz=st.none() | st.floats(1.0, 7.0),
)
def test_it_is_what_rank_says(
    gpu: str, num_gpus: int, cpu: str | None, threads: float, cpu_ghz: float | None
) -> None:
    """An offer of the same machine is ranked with the same figures.

    But for rounding: the model's mean is a sum of thousands of terms that nearly cancel.
    """
    record = {
        "id": 1,
        "gpu_name": gpu,
        "gpu_ram": 1024 * TABLES.gpus[gpu].memory_gb,
        "num_gpus": num_gpus,
        "cpu_name": cpu,
        "cpu_cores_effective": threads,
        "cpu_ghz": cpu_ghz,
        "dph_total": 1.0,
    }
    workload = load_workload("resnet50")
    job = Job(workload, workload.epochs, workload.disk_gb)
    ranked = rank([record], job, TABLES, Filters())
    found = predicted(gpu, num_gpus, cpu=cpu, threads=threads, cpu_ghz=cpu_ghz)
    rates = ranked.throughput
    expected = [rates.samples_per_s[0], rates.low[0], rates.high[0]]
    assert [
        found.samples_per_s,
        found.samples_per_s_low,
        found.samples_per_s_high,
    ] == pytest.approx(expected)
    assert found.epoch_h == pytest.approx(ranked.bill.epoch_hours[0])
    assert found.samples_per_s_low < found.samples_per_s < found.samples_per_s_high
    assert found.samples_per_s <= min(found.limits.values()) * (1 + 1e-12)
    together = 1.0 / (1.0 / found.limits["gpu"] + 1.0 / found.limits["gradients"])
    others = [found.limits[name] for name in found.limits if name not in SERIAL]
    expected = SERIAL if together <= min(others) else set(found.limits) - SERIAL
    least = {name: found.limits[name] for name in expected}
    assert found.bound_by == min(least, key=least.__getitem__)


def test_a_cpu_alone_is_the_whole_cpu() -> None:
    """Without threads, those of the named CPU count; with them, those count."""
    assert predicted(cpu=CPU).threads == 128
    assert predicted(cpu=CPU) == predicted(cpu=CPU, threads=128.0)
    assert predicted(cpu=CPU, threads=16).threads == 16


def test_what_is_not_told_is_wide_and_flagged() -> None:
    """No CPU and no threads: flags for both and a wider interval."""
    nothing, all_of_it = predicted(), predicted(cpu=CPU)
    assert {"cpu_unknown", "cores_unknown"} <= set(nothing.flags)
    assert not {"cpu_unknown", "cores_unknown"} & set(all_of_it.flags)
    wide, narrow = (
        one.samples_per_s_high / one.samples_per_s_low for one in (nothing, all_of_it)
    )
    assert wide > narrow
    assert nothing.cpu is None
    assert nothing.threads is None


def test_no_flag_is_about_prices() -> None:
    """There is no market, so nothing is said of what it left open."""
    assert not {"disk_not_repriced", "traffic_price_assumed"} & set(predicted().flags)


def test_what_it_rests_on() -> None:
    """Measurements of the workload and the GPU are counted, neighbors are named."""
    seen, new = predicted("RTX 4090").evidence, predicted("RTX 5080").evidence
    assert seen.workload_measurements == new.workload_measurements > 0
    assert seen.gpu_measurements > 0 == new.gpu_measurements
    assert seen.level == "measured"
    assert seen.nearest
    assert "RTX 4090" not in seen.nearest


def test_own_figures_of_the_workload() -> None:
    """A profile object and replaced figures are taken; a smaller batch is held whole."""
    profile = dataclasses.replace(load_workload("resnet50"), name="mine")
    found = predict(profile, "RTX 4090", settings={"batch_size": 32}, tables=TABLES)
    assert found.workload.name == "mine"
    assert (found.micro_batch, found.accumulation_steps) == (32, 1)


def test_a_memory_in_the_name_counts() -> None:
    """A card with other memory than it is sold with is that card, and flagged."""
    batch = {"batch_size": 1024}
    sold, doubled = (
        predicted(name, settings=batch) for name in ("RTX 4090", "RTX 4090 48GB")
    )
    assert doubled.gpu == sold.gpu
    assert doubled.micro_batch > sold.micro_batch
    assert "memory_modded" in doubled.flags


@pytest.mark.parametrize("name", ["rtx_4090", "4090", "NVIDIA GeForce RTX 4090"])
def test_any_spelling_of_a_gpu(name: str) -> None:
    """A GPU is found under the spellings of markets and drivers."""
    assert predicted(name).gpu == "RTX 4090"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"gpu": "RTX 4900"}, "did you mean RTX 4090"),
        ({"gpu": "A100"}, "A100-SXM4-80GB"),
        ({"gpu": ""}, "advisor gpus"),
        ({"num_gpus": 0}, "num_gpus"),
        ({"num_gpus": 5000}, "1,024"),
        ({"num_gpus": 1.5}, "whole number"),
        ({"num_gpus": True}, "whole number"),
        ({"num_gpus": "2"}, "whole number"),
        ({"threads": "16"}, "threads"),
        ({"threads": 1e300}, "threads"),
        ({"threads": 1e-300}, "threads"),
        ({"cpu_ghz": 3500}, "cpu_ghz"),
        ({"threads": 0}, "threads"),
        ({"threads": math.nan}, "threads"),
        ({"cpu_ghz": -1.0}, "cpu_ghz"),
        ({"settings": {"batchsize": 1}}, "batch_size"),
    ],
)
def test_what_no_machine_has_is_refused(arguments: dict[str, Any], words: str) -> None:
    """A wrong name or number is one line that says the way out."""
    with pytest.raises(UsageError) as caught:
        predicted(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_little_memory_is_said() -> None:
    """A workload that a card cannot hold has no throughput there."""
    with pytest.raises(NothingFitsError, match=r"llama-7b-lora .* RTX 2060"):
        predict("llama-7b-lora", "RTX 2060", tables=TABLES)


def test_the_package_offers_it() -> None:
    """`advisor.predict` is the function, and what the package names is there."""
    assert advisor.predict is predict
    assert advisor.Prediction is Prediction
    assert all(hasattr(advisor, name) for name in advisor.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = advisor.nonsense


def test_importing_the_package_is_light() -> None:
    """`import advisor` loads nothing of it; a prediction nothing heavy, and no bill."""
    script = (
        "import sys, advisor\n"
        "early = [m for m in sys.modules if m.startswith(('advisor.', 'numpy'))]\n"
        "advisor.predict('resnet50', 'RTX 4090')\n"
        "late = {'pandas', 'sklearn', 'scipy', 'httpx', 'click'} & set(sys.modules)\n"
        "late |= {m for m in sys.modules if m.startswith('advisor.ranking')}\n"
        "late |= {'advisor.cost.bill'} & set(sys.modules)\n"
        "sys.exit(f'{early} {late}' if early or late else 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_a_card_that_no_image_serves_is_predicted_too() -> None:
    """As a document as well: whether something runs there is another question."""
    found = predict("gpt2-124m", "MI300X", tables=TABLES)
    assert {"gpu_vendor", "gpu_not_modelled"} <= set(found.flags)
    document = predicted_document(found)
    assert document["flags"] == list(found.flags)
    assert document["samples_per_s"] == found.samples_per_s > 0.0
    assert document["job_usd"] is None
