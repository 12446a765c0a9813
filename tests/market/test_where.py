"""The query language: what it means, what it refuses, and what it calls unknown."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.market.conditions import sifted
from advisor.market.fields import FIELDS
from advisor.market.types import Condition
from advisor.market.where import check_fields, parse_where, spelled, written


def test_the_units_are_those_that_people_write() -> None:
    """Memory in GB, durations in days, names with _ for a blank, other names."""
    text = "cpu_ram>=48 duration>2 gpu_name!=RTX_3060 dph<0.5 geolocation notin [CN,vn]"
    assert parse_where(text) == (
        Condition("cpu_ram", "gte", 48000),
        Condition("duration", "gt", 172800.0),
        Condition("gpu_name", "neq", "RTX 3060"),
        Condition("dph_total", "lt", 0.5),
        Condition("geolocation", "notin", ("CN", "VN")),
    )


def test_several_texts_are_one_query() -> None:
    """All must hold; what is said twice is said once."""
    one, other = "num_gpus=1 cpu_ram>=8", "cpu_ram>=8 dlperf>5"
    assert parse_where([one, other]) == parse_where("num_gpus=1 cpu_ram>=8 dlperf>5")


def test_a_wildcard_takes_back_what_was_said_before_it() -> None:
    """It stays itself, since a market may look at a field that nobody asks for."""
    assert parse_where(["external=False num_gpus=1", "external=any"]) == (
        Condition("num_gpus", "eq", 1),
        Condition("external", "any", None),
    )


def test_lines_and_tabs_are_blanks() -> None:
    """A query may be a text of several lines."""
    assert parse_where("\n cpu_ram >= 48\n\tnum_gpus in\n[1, 2]\n") == (
        Condition("cpu_ram", "gte", 48000),
        Condition("num_gpus", "in", (1, 2)),
    )


def test_an_id_keeps_all_its_digits() -> None:
    """A float would not."""
    (condition,) = parse_where("machine_id=9007199254740993")
    assert condition.value == 9007199254740993


def test_a_field_of_another_market_is_taken_as_it_is_written() -> None:
    """Texts, flags, numbers where there is an order, and what is not known."""
    text = "disk_name=Samsung_990 is_bid=true gpu_lanes>=8 os_version=22.04 rack=None"
    assert [one.value for one in parse_where(text)] == [
        *("Samsung 990", True, 8, "22.04", None)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the condition is empty"),
        ("  ", "the condition is empty"),
        ("cpu_ram", "'cpu_ram' is no comparison"),
        ("gpu_name=RTX 4090", "'4090' is no comparison"),
        ("cpu_ram=>48", "no operator '=>'"),
        ("cpu_ram<>48", "no operator '<>'"),
        ("cpu_ram>=", "there is no value"),
        ('gpu_name=""', "there is no value"),
        ("cpu_ram>= num_gpus=1", "'num_gpus=1' is no value"),
        ("cpu_ram>=48GB", "a number of GB, not '48GB'"),
        ("cpu_ram>=lots", "a number of GB, not 'lots'"),
        ("cpu_ram>=nan", "a number of GB, not 'nan'"),
        ("dlperf>=inf", "a number, not 'inf'"),
        ("dlperf>=1e999", "a number, not '1e999'"),
        ("dlperf>=1_000", "a number, not '1 000'"),
        ("dlperf>=１", "a number, not '１'"),
        ("dlperf>=None", "None has no order"),
        ("rack>=None", "None has no order"),
        ("rack>=up", "a number, not 'up'"),
        ("geolocation in []", "the list is empty"),
        ("geolocation in [,]", "the list is empty"),
        ("geolocation in [CN,VN", "the brackets of '[CN,VN' do not match"),
        ("geolocation in CN,VN]", "the brackets of 'CN,VN]' do not match"),
        ("geolocation in [[CN]]", "the brackets"),
        ("geolocation=Germany", "a 2-letter country such as DE"),
        ("geolocation>CN", "geolocation has no order"),
        ('gpu_name="RTX 4090', "the quotes of"),
        ("gpu_name=RTX'4090", "the quotes of"),
        ("gpu_name>=RTX_4090", "gpu_name has no order"),
        ("num_gpus=[1,2]", "takes one value"),
        ("verified=maybe", "true or false, not 'maybe'"),
        ("verified=None", "true or false, not 'None'"),
        ("verified>true", "verified has no order"),
        ("verified!=any", "any goes with = alone"),
        ("num_gpus in [1,any]", "any goes with = alone"),
        ("compute_cap>=8.9", "counted x 100, 890 for 8.9"),
        ("reliability>=98", "from 0 to 1"),
        ("driver_version=535", "a version such as 535.86.05"),
        ("driver_version>=535.x", "a version such as 535.86.05"),
        ("driver_version>=1.2.3.4", "a version such as 535.86.05"),
        ("ubuntu_version>=jammy", "a number, not 'jammy'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text: str, words: str) -> None:
    """It quotes the query and says what is wrong."""
    with pytest.raises(UsageError) as caught:
        parse_where(text)
    message = str(caught.value)
    assert words in message
    assert repr(text) in message
    assert "\n" not in message


def test_a_long_text_is_not_quoted_whole() -> None:
    """Nor does a control character reach the terminal."""
    with pytest.raises(UsageError) as caught:
        parse_where("\x1b[2J" + "x" * 10_000)
    assert len(str(caught.value)) < 300
    assert "\x1b" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_a_usage_error(text: str) -> None:
    """Nothing else is raised, and what is read back is the same."""
    try:
        conditions = parse_where(text)
    except UsageError:
        return
    assert conditions


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(0, 10**6) | st.floats(0, 1e6).map(lambda x: round(x, 3)),
    "flag": st.booleans(),
    "text": st.sampled_from(["RTX 4090", "A100 SXM4", "H100"]),
    "word": st.sampled_from(["amd64", "verified"]),
    "cpu": st.sampled_from(["amd64", "arm64", "ppc64_le"]),
    "country": st.sampled_from(["DE", "US"]),
    "version": st.sampled_from([535086005, 580126000]),
    "release": st.sampled_from(["20.04", "22.04"]),
    "other": st.sampled_from(["Samsung 990", "22.04", True]),
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from([*sorted(FIELDS), "rack"]))
    kind = FIELDS[name].kind if name in FIELDS else "other"
    value = VALUES[kind].filter(lambda x: kind != "number" or _can_be(name, x))
    operator = draw(st.sampled_from(["eq", "neq", "in", "notin", "any", "gte"]))
    if operator == "any":
        return Condition(name, operator, None)
    if operator == "gte":
        has_order = kind in ("number", "version", "release")
        return Condition(name, "gte" if has_order else "eq", draw(value))
    if kind != "flag":
        value |= st.none()
    if operator in ("in", "notin"):
        return Condition(name, operator, tuple(draw(st.lists(value, min_size=1))))
    return Condition(name, operator, draw(value))


def _can_be(name: str, value: float) -> bool:
    field = FIELDS[name]
    return (field.least or 0) <= value and (field.most is None or value <= field.most)


@given(conditions())
def test_what_is_written_is_read_back(condition: Condition) -> None:
    """But for the last digits of a number that was multiplied."""
    (found,) = parse_where(written(condition))
    assert (found.field, found.operator) == (condition.field, condition.operator)
    value = condition.value
    is_number = name_kind(condition.field) == "number" and value is not None
    if is_number and not isinstance(value, tuple):
        assert found.value == pytest.approx(value, rel=1e-12)
    elif not is_number:
        assert found.value == value


def name_kind(name: str) -> str:
    return FIELDS[name].kind if name in FIELDS else "other"


def test_a_field_that_nobody_has_is_an_error_with_a_suggestion() -> None:
    """Of the language, of its other names, or of the records at hand."""
    records = [{"id": 1, "gpu_lanes": 16}, {"ID": 2, "Rack": "a"}, "no record"]
    check_fields(parse_where("gpu_lanes>=8 rack=a cpu_ram>=4"), records)
    for text, near in (
        ("cpu_rma>=48", "'cpu_ram'"),
        ("gpu_lane>=48", "'gpu_lanes'"),
        ("cuda_ver>=12", "'cuda_vers'"),
        ("xyzzy=1", "there are bw_nvlink, cluster_id"),
    ):
        with pytest.raises(UsageError, match="no offer has a field") as caught:
            check_fields(parse_where(text), records)
        assert near in str(caught.value)
    check_fields(parse_where("xyzzy=1"), [])  # nobody can say


def test_gpus_are_spelled_as_the_market_does_in_any_case() -> None:
    """Only capitals are mended, and only of GPUs."""
    asked = parse_where("gpu_name in [rtx_4090,RTX_4090_d] gpu_name!=a100 mobo_name=a100")
    assert spelled(asked, ["RTX 4090", "A100"]) == (
        Condition("gpu_name", "in", ("RTX 4090", "RTX 4090 d")),
        Condition("gpu_name", "neq", "A100"),
        Condition("mobo_name", "eq", "a100"),
    )


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        *((word, "amd64") for word in ("amd64", "AMD64", "x86_64", "X86-64", '"x86_64"')),
        *((word, "arm64") for word in ("arm64", "aarch64", "AArch64")),
        ("riscv64", "riscv64"),
    ],
)
def test_a_cpu_architecture_in_any_of_its_names(written_as: str, meant: str) -> None:
    """Linux's, Docker's and Windows' words are asked for, and found, as the market's."""
    for query in (f"cpu_arch={written_as}", f"cpu_arch in [{written_as}]"):
        (condition,) = parse_where(query)
        assert condition.value in (meant, (meant,))
        record = {"id": 1, "cpu_arch": written_as.strip('"')}
        others = [{"id": 2, "cpu_arch": "s390x"}, {"id": 3, "cpu_arch": None}]
        matched = sifted([record, *others], [condition], 5.0, Counter())
        assert list(matched) == [record]
