"""Training steps of a bench beside what the model predicts of them."""

from __future__ import annotations

import math

import pytest

from advisor.app.predict import predict
from advisor.market.offers import parse_machine
from advisor.measure.trained import trained_lines
from advisor.measure.verdict import judged
from advisor.throughput.tables import Tables, load_tables
from tests.measure.benches import LINES, bench

TRAININGS = {
    "train.resnet50.amp.eager": (1200.0, "samples/s"),
    "train.gpt2-124m.bf16.compiled.synthetic": (90.0, "samples/s"),
    "train.resnet50.amp.eager.fed": (1200.0, "samples/s"),
    "train.nobodys.amp.eager": (1.0, "samples/s"),
    "train.resnet50.int3.eager": (1.0, "samples/s"),
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def test_a_training_is_predicted_as_everywhere(tables: Tables) -> None:
    """The figure is that of `predict` for the same machine, batch and precision."""
    found = {
        one.name: one for one in trained_lines(bench({**LINES, **TRAININGS}), tables)
    }
    alone = predict(
        "resnet50",
        "RTX 4090",
        cpu="AMD EPYC 7702",
        threads=32,
        settings={"precision": "amp", "loader": "synthetic"},
        fit_batch=True,
        runs=(),
        tables=tables,
    )
    one = found["train.resnet50.amp.eager"]
    assert one.value == pytest.approx(alone.samples_per_s, rel=0.02)
    assert found["train.resnet50.amp.eager.fed"].value < one.value
    assert "train.gpt2-124m.bf16.compiled.synthetic" in found


def test_what_nobody_can_predict_is_passed_over(tables: Tables) -> None:
    """A profile or a precision that there is not, and a machine without a GPU."""
    names = {one.name for one in trained_lines(bench({**LINES, **TRAININGS}), tables)}
    assert not any("nobodys" in name or "int3" in name for name in names)
    assert not list(trained_lines(bench(TRAININGS, gpus=()), tables))


def test_a_prediction_is_no_reason_to_leave_a_machine(tables: Tables) -> None:
    """It is told that a rate lies below its interval; a fault it is not."""
    result = bench({**LINES, "train.resnet50.amp.eager": (10.0, "samples/s")})
    expected = {one.name: one for one in trained_lines(result, tables)}
    verdict = {one.name: one for one in judged(result, expected)}[
        "train.resnet50.amp.eager"
    ]
    assert verdict.words == "below its interval"
    assert not verdict.is_fault
    assert verdict.share < math.exp(-1.0)


def test_an_offer_describes_the_machine_where_there_is_one(tables: Tables) -> None:
    """Its CPU counts, and one of its GPUs, as the bench trains on one."""
    record = {
        "gpu_name": "RTX 4090",
        "num_gpus": 8,
        "cpu_name": "AMD EPYC 7702",
        "cpu_cores_effective": 32.0,
    }
    result = bench({**LINES, **TRAININGS})
    own = {one.name: one.value for one in trained_lines(result, tables)}
    offered = {
        one.name: one.value
        for one in trained_lines(result, tables, parse_machine(record))
    }
    name = "train.resnet50.amp.eager"
    assert offered[name] == pytest.approx(own[name], rel=0.05)
