"""The artefact: it predicts with NumPy alone, sensibly, and round-trips."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import UsageError
from advisor.hardware.gpus import load_gpus
from advisor.resources import models_folder
from advisor.throughput.features import UNKNOWN, GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel, Level, matching

ARTEFACT = models_folder() / "throughput.json"
MODEL = GpuModel.load(ARTEFACT)
GPUS = load_gpus()

RESNET50 = WorkloadKey("resnet50", "cnn", "amp", 24.6, framework="pytorch")
NEW_NET = WorkloadKey("", "cnn", "amp", 24.6)
NEW_PRECISION = dataclasses.replace(RESNET50, name="vit-b16", precision="fp16")


def features(*names: str, precision: str = "amp") -> GpuFeatures:
    """Look up GPUs by name; a name that is in no table is an unknown GPU."""
    return GpuFeatures.of([GPUS.get(name) for name in names], precision)


def test_resnet50_on_known_cards_is_what_was_published() -> None:
    """AMP on a 3090 is between the 796 and 1,222 images/s of the sources."""
    rate, spread = MODEL.predict(features("RTX 3090"), RESNET50)
    assert 796 < np.exp(rate[0]) < 1222
    assert 0.05 < spread[0] < 0.5


def test_faster_cards_are_faster() -> None:
    """The order of cards that every benchmark agrees on."""
    names = ("RTX 3060", "RTX 3090", "RTX 4090", "RTX 5090", "H100-SXM5-80GB")
    rate, _ = MODEL.predict(features(*names), RESNET50)
    assert np.all(np.diff(rate) > 0)


def test_no_card_computes_faster_than_the_best_share_of_its_rate() -> None:
    """A net of huge operations is predicted within what the matrix units give."""
    huge = dataclasses.replace(RESNET50, training_gflops_per_sample=1e6)
    card = features("RTX 3090", "H100-SXM5-80GB")
    rate, _ = MODEL.predict(card, huge)
    share = np.exp(rate) * 1e3 / card.tensor_tflops
    assert 0.3 < MODEL.best_utilisation < 1
    assert share == pytest.approx(MODEL.best_utilisation)


def test_an_unknown_gpu_is_predicted_with_a_wide_interval() -> None:
    """It is never dropped; the spread says that nothing is known."""
    rate, spread = MODEL.predict(features("RTX 3090", "no such card"), RESNET50)
    assert np.all(np.isfinite(rate))
    assert spread[1] > spread[0] + 0.3


def test_a_gpu_without_measurements_is_less_certain() -> None:
    """The same physics under a name that nobody measured widens the interval."""
    known = features("RTX 3090")
    renamed = dataclasses.replace(known, gpu=np.array(["RTX 3090 of another make"]))
    _, sure = MODEL.predict(known, RESNET50)
    _, unsure = MODEL.predict(renamed, RESNET50)
    assert unsure[0] > sure[0]


def test_each_fallback_is_less_certain_than_the_one_before() -> None:
    """Measured, measured at another precision, never measured."""
    card = features("RTX 3090")
    spreads = [
        MODEL.predict(card, key)[1][0] for key in (RESNET50, NEW_PRECISION, NEW_NET)
    ]
    assert spreads == sorted(spreads)
    kinds = [
        MODEL.what_it_rests_on(card, key).level
        for key in (RESNET50, NEW_PRECISION, NEW_NET)
    ]
    assert kinds == ["measured", "other precision", "family"]


def test_the_family_level_is_near_the_measured_one() -> None:
    """From its operations alone ResNet-50 comes out within its own interval."""
    card = features("RTX 3090")
    measured, _ = MODEL.predict(card, RESNET50)
    guessed, spread = MODEL.predict(card, NEW_NET)
    assert abs(guessed[0] - measured[0]) < 1.645 * spread[0]


def test_units_per_sample_divide_the_rate() -> None:
    """A sample of 1,024 tokens is trained at 1/1,024 of the rate of tokens."""
    tokens = WorkloadKey("gpt2-124m", "llm", "bf16", 0.88)
    samples = dataclasses.replace(tokens, units_per_sample=1024.0)
    card = features("A100-SXM4-80GB", precision="bf16")
    difference = MODEL.predict(card, tokens)[0] - MODEL.predict(card, samples)[0]
    assert difference[0] == pytest.approx(np.log(1024.0))


def test_a_smaller_batch_is_slower_for_resnet50() -> None:
    """The slope against the batch that the table teaches is positive."""
    card = features("RTX 3090")
    whole, _ = MODEL.predict(card, RESNET50)
    quarter, _ = MODEL.predict(card, RESNET50, np.log([0.25]))
    assert quarter[0] < whole[0]


def test_offers_are_predicted_one_by_one() -> None:
    """An offer's prediction does not depend on the offers beside it."""
    together = features("RTX 3090", "no such card", "T4", "RTX 3090")
    rate, spread = MODEL.predict(together, RESNET50)
    alone, alone_spread = MODEL.predict(features("T4"), RESNET50)
    assert rate[2] == pytest.approx(alone[0], rel=1e-12)
    assert spread[2] == alone_spread[0]
    assert rate[0] == pytest.approx(rate[3], rel=1e-12)


def test_a_card_without_tensor_cores_computes_at_its_fp32_rate() -> None:
    """A missing matrix rate counts as the FP32 rate, not as nothing."""
    card = features("GTX 1080 Ti")
    missing = dataclasses.replace(card, tensor_tflops=np.array([np.nan]))
    rate, spread = MODEL.predict(missing, RESNET50)
    assert np.isfinite(rate[0])
    assert spread[0] < 0.5


@given(
    st.lists(
        st.tuples(*[st.one_of(st.just(np.nan), st.floats(1.0, 5000.0))] * 7),
        min_size=1,
        max_size=5,
    )
)
def test_any_features_give_a_finite_prediction(rows: list[tuple[float, ...]]) -> None:
    """Whatever is missing, there is a rate and a spread above that of known cards."""
    columns = np.array(rows).T
    card = GpuFeatures(*columns, gpu=np.array([UNKNOWN] * len(rows)))
    rate, spread = MODEL.predict(card, RESNET50)
    assert np.all(np.isfinite(rate))
    assert np.all(spread >= MODEL.predict(features("RTX 3090"), RESNET50)[1][0])


def test_more_offers_than_a_chunk_are_all_predicted() -> None:
    """The evaluation in pieces joins them without a seam."""
    card = features(*["RTX 3090"] * 8200)
    rate, _ = MODEL.predict(card, RESNET50)
    assert np.ptp(rate) < 1e-12
    assert len(rate) == 8200


def test_the_artefact_round_trips(tmp_path: Path) -> None:
    """Saved, loaded and saved again it is the same file and predicts the same."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    MODEL.save(first)
    GpuModel.load(first).save(second)
    assert first.read_bytes() == second.read_bytes() == ARTEFACT.read_bytes()


def test_the_artefact_is_small() -> None:
    """It stays below 2 MB, so that it loads in milliseconds."""
    assert ARTEFACT.stat().st_size < 2_000_000


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99}', "[1, 2]"])
def test_a_file_that_is_no_artefact_is_refused(tmp_path: Path, text: str) -> None:
    """Torn, foreign and future files are usage errors that name the file."""
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"model\.json"):
        GpuModel.load(path)


def test_an_artefact_with_an_unknown_part_is_refused(tmp_path: Path) -> None:
    """A field that this version does not know is not read over."""
    document = json.loads(ARTEFACT.read_text()) | {"extra": 1}
    path = tmp_path / "model.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="train it again"):
        GpuModel.load(path)


def test_predicting_imports_neither_pandas_nor_scikit_learn() -> None:
    """The ranking path stays light."""
    code = (
        "import sys; from advisor.throughput import gpu_model, features; "
        "print(sorted({'pandas', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def level(series: str, framework: str = "pytorch", year: float = 2022) -> Level:
    """Return a level of which only the labels matter."""
    return Level(series, framework, year, 0.0, 1, 64.0)


def test_the_level_follows_the_reference_configuration() -> None:
    """Memory format, framework and years each narrow the choice of series."""
    levels = (
        level("timm/nhwc-pt112"),
        level("timm/nchw-pt112"),
        level("lambda-tf/2.4.1/xla/synthetic", "tensorflow"),
        level("lambda/pytorch-1.4.0a0", year=2020),
    )
    key = WorkloadKey(
        "resnet50", "cnn", "amp", 24.6, 1.0, "pytorch", 2021, 2025, "channels-last"
    )
    assert [found.series for found in matching(levels, key)] == ["timm/nhwc-pt112"]


def test_a_wish_that_nothing_meets_is_dropped() -> None:
    """An era without measurements does not leave the workload without a level."""
    levels = (level("a", year=2020), level("b", "tensorflow", 2020))
    key = WorkloadKey("w", "cnn", "amp", 1.0, 1.0, "pytorch", 2025, 2026)
    assert [found.series for found in matching(levels, key)] == ["a"]


def test_evidence_counts_the_rows_of_workload_and_gpu() -> None:
    """What a prediction rests on is the table's row counts."""
    evidence = MODEL.what_it_rests_on(features("RTX 3090", "no such card"), RESNET50)
    assert evidence.workload_rows == MODEL.workload_rows["resnet50"] > 50
    assert evidence.gpu_rows.tolist() == [MODEL.gpu_rows["RTX 3090"], 0]
    assert evidence.series
