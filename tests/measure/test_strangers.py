"""Whatever a stranger's machine claims is judged, compared and shown, or refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.bench_check import Judged
from advisor.base.errors import UsageError
from advisor.market.offers import Offers, parse_machine
from advisor.measure.bench import BenchResult, parse_bench
from advisor.measure.claimed import claimed_lines, claims, with_counts
from advisor.measure.compared import compared
from advisor.measure.expected import expected_lines
from advisor.measure.trained import trained_lines
from advisor.measure.verdict import judged
from advisor.report.benched import bench_head, bench_summary, bench_table, bench_tail
from advisor.report.formats import to_json
from advisor.report.verdicts import (
    comparison_document,
    comparison_summary,
    comparison_table,
    verdict_documents,
    verdict_summary,
    verdict_table,
)
from advisor.throughput.tables import load_tables
from tests.measure.benches import LINES, bench, document

NAMES = (
    *LINES,
    "cores.delivered",
    "cores.quota",
    "tokenize.core",
    "decode.pillow.w0",
    "decode.pillow.w7",
    "decode.opencv.core",
    "decode.opencv.w" + "9" * 40,
    "gpu0.launch",
    "gpu0.xid",
    "gpu0.power.limit",
    "gpu0.matmul.int8",
    "gpu" + "9" * 30 + ".bandwidth",
    "train.resnet50.fp16.eager.synthetic",
    "train.gpt2-124m.bf16.compiled.synthetic",
    "disk.read.sequential",
    "disk.read.random",
    "net.download",
    "gpus",
    "host.memory",
)
UNITS = ("cores", "MB/s", "images/s", "lanes", "generation", "errors", "")
ODD = (0.0, 5e-324, 1e-300, 1e-12, 0.4, 1.0, 4.0, 16.0, 1e5)
figures = st.sampled_from(ODD) | st.floats(0.0, 1e5)
machines = st.builds(
    lambda lines, spread, cores, gpu_gb: {
        **(found := document(lines, memory_gb=gpu_gb)),
        "machine": {**found["machine"], "cores": cores},
        "lines": [{**one, "log_sd": spread} for one in found["lines"]],
    },
    st.dictionaries(
        st.sampled_from(NAMES), st.tuples(figures, st.sampled_from(UNITS)), max_size=12
    ),
    st.none() | st.floats(0.0, 20.0),
    st.none() | figures,
    figures,
)
OFFER: Offers = parse_machine(
    {
        "gpu_name": "RTX 4090",
        "num_gpus": 1,
        "gpu_ram": 24564,
        "cpu_name": "AMD EPYC 7702 64-Core Processor",
        "cpu_cores": 128,
        "cpu_cores_effective": 32.0,
        "cpu_ram": 128_000,
        "disk_bw": 2_500.0,
        "inet_down": 758.0,
    }
)


@pytest.mark.slow
@given(machines, st.booleans())
def test_any_result_is_judged_and_shown_or_refused(
    found: dict[str, object], is_offered: bool
) -> None:
    """What is read has verdicts that JSON can hold: no figure without an end."""
    try:
        result = parse_bench(found)
    except UsageError:
        return
    told = verdicts_of(result, is_offered=is_offered)
    to_json({"verdicts": verdict_documents(told)})
    for width in (None, 80):
        assert verdict_table(told, width).text
        assert bench_head(result, width)
        assert bench_table(result, width).text
    assert verdict_summary(told.verdicts)
    assert bench_summary(result)
    assert bench_tail(result)


@given(machines, machines)
def test_any_two_results_are_compared_or_refused(
    first: dict[str, object], second: dict[str, object]
) -> None:
    """A ratio is a number, or there is none."""
    try:
        told = compared(parse_bench(first), parse_bench(second))
    except UsageError:
        return
    to_json(comparison_document(told))
    assert comparison_table(told, 80).text
    assert comparison_summary(told)


def verdicts_of(result: BenchResult, *, is_offered: bool) -> Judged:
    """Return what is thought of a machine, beside another one that it teaches of."""
    tables = load_tables()
    offer = OFFER if is_offered else None
    if offer is not None:
        result = with_counts(result, tables, offer)
    expected = {
        **({} if offer is None else claimed_lines(result, tables, offer)),
        **expected_lines(result, tables, offer, known=[result, bench(LINES)]),
        **{one.name: one for one in trained_lines(result, tables, offer)},
    }
    said = {} if offer is None else claims(offer, result)
    return Judged(judged(result, expected), said)


@pytest.mark.parametrize("granted", [0.0, None], ids=["none", "unknown"])
def test_a_core_is_judged_where_nobody_says_how_many_there_are(
    granted: float | None,
) -> None:
    """What one core does is known by its name: half of it is told."""
    lines = {name: one for name, one in LINES.items() if name != "cores.granted"}
    lines["core.zlib"] = (2.0, "MB/s")
    found = document(lines)
    found["machine"]["cores"] = granted
    told = verdicts_of(parse_bench(found), is_offered=False)
    (core,) = [one for one in told.verdicts if one.name == "core.zlib"]
    assert math.isfinite(core.expected)
    assert core.is_fault
