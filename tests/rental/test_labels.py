"""Labels say whose a rental is, for what, and when it must be gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.rental.labels import PREFIX, check_job, job_of, new_label, read_label

JOBS = st.from_regex(r"[A-Za-z0-9._-]{1,100}", fullmatch=True)


@given(job=JOBS, end=st.integers(0, 2**32 - 1))
def test_a_label_tells_what_it_was_made_of(job: str, end: int) -> None:
    """Job and end come back; the label fits the market's 256 characters."""
    label = new_label(job, end + 0.5)
    told = read_label(label)
    assert told is not None
    assert (told.job, told.ends_unix_s) == (job, end)
    assert label.startswith(PREFIX)
    assert len(label) <= 256


def test_no_two_labels_are_alike() -> None:
    """Also for one job and one end."""
    assert len({new_label("job", 1.8e9) for _ in range(1000)}) == 1000


@given(st.text())
def test_other_labels_are_nobodys(text: str) -> None:
    """Whatever people write on their machines is not taken for ours."""
    told = read_label(text)
    assert told is None or text.startswith(PREFIX)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "ü", "x" * 101, "a\n"])
def test_what_no_label_could_hold_is_no_job(name: str) -> None:
    """The name is refused before anything is rented."""
    with pytest.raises(UsageError, match="cannot name a job"):
        check_job(name)


@given(st.text(max_size=200))
def test_any_workload_gives_a_job(workload: str) -> None:
    """Each use of a workload is a job of its own."""
    assert check_job(job_of(workload)) != job_of(workload)
