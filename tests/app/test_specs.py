"""What is asked for is checked once: both faces refuse the same, each in its words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import advisor
from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.jobs import load_job
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.base.errors import ArgumentError, UsageError
from advisor.cli.options import chosen, in_options
from advisor.cli.rent import command as rent
from advisor.cli.renting import rent_spec
from advisor.cli.run import command as run
from advisor.rental.arguments import LONGEST_LIFETIME_S, SHORTEST_S
from advisor.rental.jobs import JobRecord, save_job

Write = Callable[[Any], str]


def plain(value: Any) -> str:
    """Return a number as people type it, without an exponent."""
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(value), "f")
    return str(value)


def seconds(value: Any) -> str:
    return f"{plain(value)}s"


FACES: Mapping[str, tuple[str, str, Write]] = {
    "max_epoch_usd": ("--max-epoch-cost", "max_epoch_usd", plain),
    "budget_usd": ("--budget", "budget_usd", plain),
    "day_budget_usd": ("--day-budget", "day_budget_usd", plain),
    "deadline_s": ("--deadline", "deadline_s", seconds),
    "max_lifetime_s": ("--max-lifetime", "max_lifetime_s", seconds),
    "start_timeout_s": ("--start-timeout", "start_timeout_s", seconds),
    "attempts": ("--attempts", "attempts", plain),
    "name": ("--job", "name", str),
}
"""Argument in Python -> option, field, and how a value is written for the option."""

OF_JOB: Mapping[str, tuple[str, str, Write]] = {
    "epochs": ("--epochs", "epochs", plain),
    "disk_gb": ("--disk", "disk_gb", plain),
    "image": ("--image", "image", str),
}
OF_OFFERS: Mapping[str, tuple[str, str, Write]] = {
    "min_reliability": ("--min-reliability", "min_reliability", plain),
    "max_usd_per_hour": ("--max-price", "max_usd_per_hour", plain),
    "min_duration_s": ("--min-duration", "min_duration_s", seconds),
    "min_ram_gb": ("--min-ram", "min_ram_gb", plain),
    "min_vram_gb": ("--min-vram", "min_vram_gb", plain),
}
ALL = {**FACES, **OF_JOB, **OF_OFFERS}
NUMBERS = sorted(ALL.keys() - {"name", "image"})
WHOLE = {"attempts", "epochs"}

EDGES = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, 1e-9, 0.001, 1e15, 1e308),
    *(SHORTEST_S, SHORTEST_S - 0.5, LONGEST_LIFETIME_S, LONGEST_LIFETIME_S + 1.0),
    *(36500 * 86400.0, 99999999999 * 86400.0, 1.0, 1e9, 1e9 + 1.0),
)
# A command keeps its option of help from the first context that it is used in.
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
FLOATS = st.sampled_from(EDGES) | st.floats() | st.floats(0.0, 1e6)
INTEGERS = st.sampled_from((0, 1, 50, 51, 10**9, 10**9 + 1, 10**400)) | st.integers()


def typed(words: tuple[str, ...], command: click.Command = rent) -> RentSpec | None:
    """Return what a command line asks for, None if it is refused."""
    try:
        ctx = command.make_context("advisor", [*words], **HELP)
        with ctx:
            return rent_spec({**chosen(ctx, ctx.params), "workload": "resnet50"})
    except (click.UsageError, UsageError):
        return None


def called(**arguments: Any) -> RentSpec | None:
    """Return what Python asks for, None if it is refused."""
    try:
        return advisor.rented("resnet50", **arguments).spec
    except UsageError:
        return None


@given(name=st.sampled_from(NUMBERS), value=FLOATS | INTEGERS)
def test_what_one_face_refuses_the_other_refuses(name: str, value: float) -> None:
    """And what both take is the same; nothing is taken that is not in its bounds."""
    option, field, write = ALL[name]
    if name in WHOLE and isinstance(value, float):
        value = int(value) if math.isfinite(value) else 0
    by_python = called(**{name: value})
    try:
        text = write(value)
    except ValueError:  # an integer of which nobody writes the digits
        assert by_python is None
        return
    by_line = typed((f"{option}={text}",))
    assert (by_line is None) == (by_python is None)
    if by_line is None or by_python is None:
        return
    for spec in (by_line, by_python):
        part: Any = spec.job if name in OF_JOB else spec
        part = spec.offers if name in OF_OFFERS else part
        taken = getattr(part, field)
        assert taken == value
        assert math.isfinite(taken)
        assert 0 < taken <= 1e9 or (name == "min_reliability" and taken == 0)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("wrong", [True, False, "5", [], {}, None, 1j, Decimal(5)])
def test_what_is_no_number_is_refused_by_its_name(name: str, wrong: object) -> None:
    """A truth is no amount; None alone says that nothing is asked."""
    if wrong is None and name != "attempts":
        assert called(**{name: None}) is not None
        return
    with pytest.raises(UsageError, match=rf"^{name}="):
        advisor.rented("resnet50", **{name: wrong})


JOB_NAMES = ("..", ".", "-x", ".hidden", "a" * 101, "a:b", "é", "a/b", "", " ", "a\0b")


@pytest.mark.parametrize("name", [*JOB_NAMES, "lab", "a" * 100, "_x.y-z", "A"])
def test_names_of_jobs_are_the_same(name: str) -> None:
    """What a label, a folder and a shell can have."""
    by_line, by_python = typed((f"--job={name}",)), called(name=name)
    assert (by_line is None) == (by_python is None) == (name in JOB_NAMES)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-lifetime", "36500d"), "--max-lifetime: a time from 60 seconds to 1,825"),
        (("--max-lifetime", "99999999999d"), "--max-lifetime: a time"),
        (("--max-lifetime", "0.001s"), "--max-lifetime: a time"),
        (("--start-timeout", "1s"), "--start-timeout: a time"),
        (("--deadline", "99999d"), "--deadline: a time"),
        (("--budget", "1e12"), "--budget: a number of dollars above 0 and at most"),
        (("--job", ".."), "cannot name a job"),
        (("--reserved",), "--reserved: a reservation is paid ahead"),
        (("--image", "A B"), "can be no Docker image"),
        (("--fit-batch", "--set", "batch_size=3"), "--fit-batch and --set batch_size"),
        (("--gpu", "A100", "--exclude-gpu", "A100"), "--gpu and --exclude-gpu of the"),
        (
            ("--max-lifetime", "1h", "--start-timeout", "1h"),
            "--start-timeout is no shorter than --max-lifetime",
        ),
    ],
)
def test_the_command_line_is_told_in_its_words(words: tuple[str, ...], said: str) -> None:
    """By the options that were typed."""
    with rent.make_context("advisor", [*words], **HELP) as ctx:
        with pytest.raises(UsageError) as raised:
            rent_spec({**chosen(ctx, ctx.params), "workload": "resnet50"})
        message = raised.value.worded(in_options)
    assert said in message
    assert "_usd" not in message
    assert "_s=" not in message


@pytest.mark.parametrize("grace", ["0.5s", "59s", "9999d"])
def test_a_machine_waits_long_enough_to_be_heard(grace: str) -> None:
    """A launcher beats each quarter of the time; that takes an ssh connection."""
    assert typed(("--grace", grace), run) is None
    assert typed(("--grace", "1m"), run) is not None
    with pytest.raises(UsageError, match=r"^lease_s="):
        advisor.rented("resnet50", lease_s=59.9)
    with pytest.raises(UsageError, match="lease_s"):
        advisor.rented("resnet50", lease_s=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {3: 4}},
        {"settings": {"": 4}},
        {"settings": [1]},
        {"settings": "batch_size=3"},
        {"settings": {"batch_size": [3]}},
        {"gpus": "A100"},
        {"gpus": [None]},
        {"exclude_gpus": 3},
        {"where": [3]},
        {"where": "cpu_ram>=lots"},
        {"regions": ["Atlantis"]},
        {"num_gpus": [True]},
        {"num_gpus": [10**6]},
        {"verified": "yes"},
        {"datacenter": 1},
        {"market": ""},
        {"market": 3},
        {"rental": None},
        {"rental": "reserved"},
        {"image": 3},
    ],
    ids=str,
)
def test_the_rest_of_python_is_checked_too(wrong: dict[str, Any]) -> None:
    """At once, before anything is asked."""
    with pytest.raises(UsageError):
        advisor.rented("resnet50", **wrong)


def test_figures_of_a_profile_stay_what_they_are() -> None:
    """Numbers and truths are not made texts that are read again; texts are kept, too."""
    import numpy as np  # noqa: PLC0415

    given_ = {"batch_size": np.int16(64), "dataset_gb": np.float64(1.5), "lora": False}
    spec = called(settings={**given_, "precision": "amp"})
    assert spec is not None
    figures = dict(spec.job.settings)
    assert figures == {
        "batch_size": 64,
        "dataset_gb": 1.5,
        "lora": False,
        "precision": "amp",
    }
    assert [type(one) for one in figures.values()] == [int, float, bool, str]


def test_numbers_of_libraries_become_plain_ones() -> None:
    """As JSON has them."""
    import numpy as np  # noqa: PLC0415

    spec = called(budget_usd=np.float32(3.5), num_gpus=[np.int64(2)], epochs=np.int32(3))
    assert spec is not None
    assert type(spec.budget_usd) is float
    assert type(spec.offers.num_gpus[0]) is int
    assert type(spec.job.epochs) is int


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
).filter(str.strip)
AMOUNTS = st.none() | st.floats(0.0, 1e9, exclude_min=True)
TIMES = st.none() | st.floats(SHORTEST_S, LONGEST_LIFETIME_S)
JOBS = st.builds(
    JobSpec,
    workload=TEXTS,
    settings=st.dictionaries(
        TEXTS.filter(lambda key: key not in {"epochs", "batch_size"}),
        TEXTS
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False),
    ).map(lambda found: tuple(found.items())),
    epochs=st.none() | st.integers(1, 10**9),
    disk_gb=AMOUNTS,
    rental=st.sampled_from(("on-demand", "interruptible")),
    fit_batch=st.booleans(),
    memory_margin=st.floats(0.0, 0.9),
    assumptions=st.sampled_from(((), (("repair_h", 4.0),))),
    image=st.sampled_from((None, "me/mine:3", "nvcr.io/nvidia/pytorch:25.06-py3")),
)
OFFERS = st.builds(
    Constraints,
    gpus=st.sampled_from(((), ("A100",), ("RTX 4090", "H100"))),
    num_gpus=st.lists(st.integers(1, 10_000)).map(tuple),
    min_reliability=st.none() | st.floats(0.0, 1.0),
    max_usd_per_hour=AMOUNTS,
    regions=st.sampled_from(((), ("europe", "DE"))),
    verified=st.sampled_from((None, True, False)),
    min_duration_s=TIMES,
    exclude_gpus=st.sampled_from(((), ("RTX 3060",))),
    min_ram_gb=AMOUNTS,
    min_vram_gb=AMOUNTS,
    datacenter=st.booleans(),
    where=st.sampled_from(((), ("cpu_ram>=48 geolocation notin [CN,VN]",))),
)
RENTS = st.builds(
    RentSpec,
    job=JOBS,
    offers=OFFERS,
    market=TEXTS,
    name=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", fullmatch=True),
    max_epoch_usd=AMOUNTS,
    deadline_s=TIMES,
    budget_usd=AMOUNTS,
    day_budget_usd=AMOUNTS,
    max_lifetime_s=TIMES,
    attempts=st.integers(1, 50),
    lease_s=TIMES,
    verify=st.sampled_from((None, True, False)),
)
RUNS = st.builds(
    RunSpec,
    rent=RENTS,
    argv=st.lists(TEXTS).map(lambda words: ("python", *words)),
    folder=st.just("/somewhere"),
    results=st.sampled_from(("results", "out/x")),
    includes=st.lists(TEXTS).map(tuple),
    excludes=st.lists(TEXTS).map(tuple),
    max_sync_gb=st.floats(1e-9, 1e9),
    max_results_gb=st.floats(1e-9, 1e9),
)


@given(spec=RUNS)
def test_a_document_holds_all_of_a_spec(spec: RunSpec) -> None:
    """What is written is what is read, by way of JSON."""
    import json  # noqa: PLC0415

    text = json.dumps(spec.to_document(), allow_nan=False)
    assert RunSpec.from_document(json.loads(text)) == spec
    rented = json.dumps(spec.rent.to_document(), allow_nan=False)
    assert RentSpec.from_document(json.loads(rented)) == spec.rent


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "an object is expected"),
        ([], "an object is expected"),
        ({}, "version"),
        ({"version": True}, "version"),
        ({"version": 0}, "version"),
        ({"version": 3}, "a newer advisor wrote it"),
        ({"version": 1}, "job is missing"),
        ({"version": 1, "job": 3}, "JobSpec: an object is expected"),
        ({"version": 1, "job": {}}, "workload is missing"),
        ({"version": 1, "job": {"workload": "x", "price": 3}}, "'price' is not known"),
        ({"version": 1, "job": {"workload": "x"}, "offers": None}, "Constraints"),
        ({"version": 1, "job": {"workload": None}}, "workload=None: a text"),
        ({"version": 1, "job": {"workload": "x"}, "budget_usd": "3"}, "budget_usd='3'"),
        ({"version": 1, "job": {"workload": "x", "settings": ["a"]}}, "settings="),
    ],
)
def test_what_is_no_document_is_told(document: object, said: str) -> None:
    """With what is wrong in it."""
    with pytest.raises(UsageError) as raised:
        RentSpec.from_document(document)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": ()},
        {"argv": "true"},
        {"argv": ("--gpu", "x")},
        {"argv": ("a\0b",)},
        {"folder": "here"},
        {"folder": ""},
        {"results": "../x"},
        {"checkpoints": ".git"},
        {"includes": "data"},
        {"max_sync_gb": math.nan},
        {"max_results_gb": 0},
        {"max_results_gb": math.inf},
    ],
    ids=str,
)
def test_a_run_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """Whatever says so: a face, a file."""
    right = {"rent": RentSpec(JobSpec("x")), "argv": ("true",), "folder": "/x"}
    assert RunSpec(**right).max_results_gb == 50.0
    with pytest.raises(UsageError):
        RunSpec(**{**right, **wrong})


def test_the_longest_value_makes_a_short_line() -> None:
    """Also an integer whose digits Python does not write."""
    for wrong in (10**9000, "x" * 10**6, [1] * 10**6):
        with pytest.raises(ArgumentError) as raised:
            RentSpec(JobSpec("x"), budget_usd=wrong)  # type: ignore[arg-type]
        assert len(str(raised.value)) < 200


@given(spec=RUNS, name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,40}", fullmatch=True))
def test_a_job_that_is_resumed_asks_for_what_it_asked_for(
    tmp_path_factory: pytest.TempPathFactory, spec: RunSpec, name: str
) -> None:
    """What `run` keeps of a job in its file, `--resume` reads back whole."""
    folder = tmp_path_factory.mktemp("data")
    asked = replace(spec, rent=replace(spec.rent, name=name))
    save_job(folder, JobRecord(name, asked, before={"checkpoints/a": (1, 2)}))
    job, read = load_job(folder, name)
    assert read == asked
    assert (job.name, job.before) == (name, {"checkpoints/a": (1, 2)})
