"""Machines that a reader knows by heart: each source is held out whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from advisor.hardware.gpus import GpuTable
from advisor.training.evaluate.card_known import known_section
from advisor.training.evaluate.known import (
    CARDS,
    PROFILES,
    Asked,
    evaluate_known,
    without,
)
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.row_use import RowUse
from advisor.workloads.load import load_workload

pytestmark = pytest.mark.slow

SOURCE = "nehemiah888/rtx5090aitest"


@pytest.fixture(scope="module")
def asked(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Asked:
    """Return what is asked of a few workloads."""
    profiles = {name: load_workload(name) for name in PROFILES}
    return Asked(small, small_row_use, gpus, profiles)


def test_a_source_is_predicted_by_a_model_that_has_not_seen_it(asked: Asked) -> None:
    """Rates of the source that are three times as high change no prediction of it."""
    here = asked.sources() == SOURCE
    factor = np.where(here, 3.0, 1.0)
    faster = replace(asked.tables, throughput=asked.tables.throughput * factor)
    before = without(asked, SOURCE)
    after = without(replace(asked, tables=faster), SOURCE)
    assert [one.predicted for one in after] == pytest.approx(
        [one.predicted for one in before]
    )
    assert [one.measured for one in after] == pytest.approx(
        [3.0 * one.measured for one in before]
    )


def test_each_row_tells_its_card_and_an_interval_around_the_figure(asked: Asked) -> None:
    """What is asked for are the listed cards; what is not, such as a laptop, is not."""
    found = without(asked, SOURCE)
    assert {one.gpu for one in found} == {"RTX 3090", "RTX 4090", "RTX 5090"}
    assert all(one.low < one.predicted < one.high for one in found)
    assert not any(one.guessed for one in found)


def test_a_workload_of_one_source_is_guessed_and_says_so(asked: Asked) -> None:
    """Without its only source the level of GPT-2 is a guess, as of a net of the user."""
    found = [one for one in without(asked, "rasbt/LLMs-from-scratch") if one.guessed]
    assert {one.profile for one in found} == {"gpt2-124m"}
    assert all(0.2 < one.predicted / one.measured < 5.0 for one in found)
    assert "guessed level" in known_section([one.to_dict() for one in found])


def test_the_list_is_in_the_order_of_profiles_and_cards(asked: Asked) -> None:
    """A reader finds a machine where its kind is."""
    few = np.isin(asked.sources(), (SOURCE, "rasbt/LLMs-from-scratch"))
    few |= ~asked.rows()
    of = replace(
        asked, tables=asked.tables.select(few), row_use=asked.row_use.select(few)
    )
    found = evaluate_known(of)
    order = [*PROFILES, *CARDS]
    places = [(order.index(one.profile), order.index(one.gpu)) for one in found]
    assert places == sorted(places)
    assert {one.source for one in found} == {SOURCE, "rasbt/LLMs-from-scratch"}
