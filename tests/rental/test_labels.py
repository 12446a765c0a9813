"""Labels say whose a rental is, for what, and when it must be gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.rental.labels import (
    PREFIX,
    Label,
    check_job,
    job_of,
    new_label,
    read_label,
)

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


def test_a_label_has_a_token_that_names_no_other_rental() -> None:
    """Its end and its random part: logs are named by it."""
    read = read_label("advisor:a.b_c-1:6b00ed10-0123456789abcdef")
    assert read == Label("a.b_c-1", float(0x6B00ED10), "6b00ed10-0123456789abcdef")


@pytest.mark.parametrize(
    "text",
    [
        "advisor::6b00ed10-0123456789abcdef",
        f"advisor:{'x' * 101}:6b00ed10-0123456789abcdef",
        "advisor:a:6b00ed1-0123456789abcdef",
        "advisor:a:6b00ed10-0123456789abcde",
        "advisor:a:6b00ed10-0123456789abcdef ",
        " advisor:a:6b00ed10-0123456789abcdef",
        "advisor:a:6B00ED10-0123456789abcdef",
        "advisor:a/../b:6b00ed10-0123456789abcdef",
    ],
)
def test_a_label_that_is_not_whole_is_nobodys(text: str) -> None:
    """It tells no end that could be believed."""
    assert read_label(text) is None


@pytest.mark.parametrize(
    ("workload", "job"),
    [
        ("resnet50", "resnet50-"),
        ("my net (v2)!", "my-net-v2-"),
        ("--..", "job-"),
        ("", "job-"),
        ("ü" * 9, "job-"),
        ("x" * 61, "x" * 60 + "-"),
    ],
)
def test_a_job_is_named_after_its_workload(workload: str, job: str) -> None:
    """As far as a name may; six digits tell two of them apart."""
    made = job_of(workload)
    assert made[:-6] == job
    int(made[-6:], 16)


def test_a_name_that_cannot_be_is_shown_in_part() -> None:
    """Forty characters of it; a hundred may be a name."""
    with pytest.raises(UsageError, match="^'" + "!" * 40 + "' cannot name a job"):
        check_job("!" * 41)
    assert check_job("x" * 100) == "x" * 100
    for name in ("-a", ".a", ".."):
        with pytest.raises(UsageError):
            check_job(name)
