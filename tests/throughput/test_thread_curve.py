"""Throughput against threads, of many machines at once."""

from __future__ import annotations

import numpy as np
import pytest

import advisor
from advisor.ranking.ranking import Ranking
from advisor.throughput.thread_curve import ThreadCurves

THREADS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    return advisor.rank("resnet50", market="sample", top=80)


def curves(ranking: Ranking) -> ThreadCurves:
    return ThreadCurves(
        ranking.machines.take(ranking.order),
        ranking.job.workload,
        ranking.tables.model,
        ranking.adjustment.take(ranking.order),
    )


def test_more_threads_are_never_slower(ranking: Ranking) -> None:
    """On no machine, whatever binds it; and never faster than its GPUs compute."""
    rates = curves(ranking).at(THREADS)
    assert rates.shape == (len(ranking), len(THREADS))
    assert (np.diff(rates, axis=1) >= -1e-9 * rates[:, 1:]).all()
    gpu = np.array([one.limits["gpu"] for one in ranking])
    assert (rates <= gpu[:, None] * (1 + 1e-9)).all()


def test_a_curve_goes_through_the_prediction(ranking: Ranking) -> None:
    """With the threads that an offer grants it reaches what is predicted of it."""
    threads = ranking.machines.threads[ranking.order]
    for at in range(0, len(ranking), 10):
        if threads[at] == round(threads[at]):
            one = curves(ranking[at : at + 1]).at(np.array([int(threads[at])]))
            assert one[0, 0] == pytest.approx(ranking[at].samples_per_s)


@pytest.mark.slow
def test_enough_is_what_the_advice_on_one_machine_says(ranking: Ranking) -> None:
    """To the thread, and 0 where no number is."""
    enough = curves(ranking).enough().tolist()
    told = [one.advice().enough_threads or 0 for one in ranking]
    assert enough == told


def test_no_machines_have_no_curves(ranking: Ranking) -> None:
    """An empty ranking is no error."""
    assert curves(ranking[:0]).enough().tolist() == []
