"""Reading and writing workload profiles."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import Library, list_workloads, load_workload
from advisor.workloads.override import override
from advisor.workloads.parse import parse_workload
from advisor.workloads.profile import (
    ATTENTIONS,
    BASE_WEIGHTS,
    DISTRIBUTED,
    LOADERS,
    MEMORY_FORMATS,
    OPTIMIZERS,
    PRECISIONS,
    SHARDINGS,
    Reference,
    Workload,
)

NUMBERS = [
    f.name for f in dataclasses.fields(Workload) if str(f.type) in {"float", "int"}
]
FIGURES = [f for f in NUMBERS if f not in {"epochs", "batch_size"}]


def lines_of(workload: Workload, **changes: str | None) -> str:
    """Return the profile as TOML with some lines changed or left out."""
    kept = []
    table = ""
    for line in dump_workload(workload).splitlines():
        key = line.partition(" = ")[0]
        table = line if line.startswith("[") else table
        if key not in changes or table == "[sources]":
            kept.append(line)
        elif changes[key] is not None:
            kept.append(f"{key} = {changes[key]}")
    return "\n".join(kept) + "\n"


def complaint(text: str) -> str:
    """Return what the loader says of a text that it must refuse."""
    with pytest.raises(UsageError) as caught:
        parse_workload(text, "my.toml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def file_complaint(path: Path | str, library: Library | None = None) -> str:
    """Return what the loader says of a name or a file that it must refuse."""
    with pytest.raises(UsageError) as caught:
        load_workload(str(path), library)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def resnet50() -> Workload:
    """Return one profile that is right."""
    return load_workload("resnet50")


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
positive = st.floats(1e-9, 1e15)
reference_fields = {f.name for f in dataclasses.fields(Reference)}


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """Draw any profile that the loader should take."""
    values: dict[str, Any] = {name: draw(positive) for name in FIGURES}
    values["parameters_m"], values["trainable_parameters_m"] = sorted(
        (values["parameters_m"], values["trainable_parameters_m"]), reverse=True
    )
    may_be_zero = ["framework_memory_gb", "cpu_ms_log_sd", "dataset_gb", "image_gb"]
    values |= {name: draw(st.just(0.0) | positive) for name in may_be_zero}
    values["embedding_parameters_m"] = draw(st.floats(0.0, values["parameters_m"]))
    values["padding_share"] = draw(st.floats(0.0, 1.0, exclude_max=True))
    sharding = draw(st.sampled_from(SHARDINGS))
    counts = st.integers(1, 10**9)
    return Workload(
        **values,
        name=draw(st.from_regex(r"[a-z0-9é][\w.-]{0,20}[a-z0-9]", fullmatch=True)),
        description=draw(printable),
        task=draw(printable),
        sample=draw(printable),
        epochs=draw(counts),
        batch_size=draw(counts),
        precision=draw(st.sampled_from(PRECISIONS)),
        reference=Reference(
            *(draw(printable) for _ in range(5)),
            benchmark_units_per_sample=draw(positive),
        ),
        sources=draw(
            st.dictionaries(
                st.sampled_from(NUMBERS + sorted(reference_fields)), printable
            )
        ),
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        gradient_checkpointing=draw(st.booleans()),
        sharding=sharding,
        base_weights=draw(st.sampled_from(BASE_WEIGHTS)),
        master_weights=draw(st.booleans()),
        compiled=draw(st.booleans()),
        attention=draw(st.sampled_from(ATTENTIONS)),
        memory_format=draw(st.sampled_from(MEMORY_FORMATS)),
        fused_optimizer=draw(st.booleans()),
        distributed=draw(st.sampled_from(DISTRIBUTED if sharding == "none" else ["ddp"])),
        loader=draw(st.sampled_from(LOADERS)),
        packed=draw(st.booleans()),
    )


@pytest.mark.slow
@given(workloads())
def test_dump_and_load(workload: Workload) -> None:
    """A profile that is written loads again as the very same profile."""
    assert parse_workload(dump_workload(workload), "x") == workload


def test_dump_escapes() -> None:
    """Quotes, backslashes and what looks like TOML survive a round trip."""
    odd = '\\"""\\u0041 # = [reference] \U0001f642 \u2028 \ufeff'
    workload = dataclasses.replace(load_workload("resnet18"), description=odd)
    assert parse_workload(dump_workload(workload), "x") == workload


@pytest.fixture(scope="module")
def short(resnet50: Workload) -> str:
    """Return a whole profile with few sources, so that it parses fast."""
    sources = {"epochs": "me", "era": "guess"}
    return dump_workload(dataclasses.replace(resnet50, sources=sources))


def test_half_written_file(short: str) -> None:
    """A written profile that is cut short anywhere is refused."""
    parse_workload(short, "whole.toml")
    for end in range(len(short) - 1):
        with pytest.raises(UsageError):
            parse_workload(short[:end], "torn.toml")


@pytest.mark.parametrize("damage", ["\0", '"', "=", "[", "\n", "9", "\udc80"])
def test_damaged_text(short: str, damage: str) -> None:
    """A profile with one wrong character loads or gives an error of one line."""
    for position in range(0, len(short), 5):
        text = short[:position] + damage + short[position + 1 :]
        try:
            parse_workload(text, "x")
        except UsageError as error:
            lines = str(error).splitlines()
        else:
            continue
        assert len(lines) == 1


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e300", '"5"', "true"])
def test_impossible_number(resnet50: Workload, name: str, value: str) -> None:
    """NaN, infinity, below zero, absurdly large, a string, a boolean: refused."""
    message = complaint(lines_of(resnet50, **{name: value}))
    assert f": {name}: " in message
    assert "number" in message


@pytest.mark.parametrize("name", NUMBERS)
def test_zero(resnet50: Workload, name: str) -> None:
    """Zero is taken where it means something, and refused elsewhere."""
    text = lines_of(resnet50, **{name: "0"})
    if name in {
        "weight_bytes_per_parameter",
        "framework_memory_gb",
        "host_ram_gb",
        "cpu_ms_log_sd",
        "dataset_gb",
        "image_gb",
        "checkpoint_gb",
        "embedding_parameters_m",
        "attention_mb_per_sample",
        "tokens_per_sample",
        "padding_share",
        "checkpointed_mb_per_sample",
    }:
        assert getattr(parse_workload(text, "x"), name) == 0
    else:
        assert "greater than 0" in complaint(text)


def test_message_has_file_line_and_key(resnet50: Workload) -> None:
    """The message names the file, the line, the key and what is expected."""
    text = lines_of(resnet50, epochs="2.5")
    line = text.splitlines().index("epochs = 2.5") + 1
    assert complaint(text) == (
        f"my.toml:{line}: epochs: a whole number is expected, not 2.5"
    )


def test_line_is_that_of_the_right_table(resnet50: Workload) -> None:
    """A key that also stands in another table is not mistaken for it."""
    text = lines_of(resnet50, era="7")
    assert text.count("\nera = ") == 2
    line = text.splitlines().index("era = 7") + 1
    assert complaint(text) == (
        f"my.toml:{line}: reference.era: a string is expected, not 7"
    )


def test_integer_for_a_float(resnet50: Workload) -> None:
    """A whole number serves where a number is expected, and becomes a float."""
    workload = parse_workload(lines_of(resnet50, dataset_gb="144"), "x")
    assert type(workload.dataset_gb) is float


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"precision": '"bfloat16"'}, "one of fp32, tf32, amp, bf16, fp16 is expected"),
        ({"precision": "[]"}, "one of fp32, tf32, amp, bf16, fp16 is expected"),
        ({"description": "3"}, "a string is expected, not 3"),
        ({"name": '"my model"'}, "letters, digits"),
        ({"name": '"../x"'}, "letters, digits"),
        ({"name": '""'}, "letters, digits"),
        ({"name": '"-x"'}, "letters, digits"),
        ({"task": '"a\\u001b[31m"'}, "control characters"),
        ({"trainable_parameters_m": "26"}, "no more than parameters_m (25.56)"),
        ({"epochs": None}, "missing: epochs"),
        ({"epochs": "1" * 5000}, "too many digits"),
        ({"framework": None}, "missing in [reference]: framework"),
    ],
)
def test_wrong_value(
    resnet50: Workload, changes: dict[str, str | None], expected: str
) -> None:
    """Each thing that cannot be right is said in the user's own terms."""
    assert expected in complaint(lines_of(resnet50, **changes))


def test_many_missing_keys() -> None:
    """An empty file lists the first missing keys and counts the others."""
    needed = [
        field.name
        for field in dataclasses.fields(Workload)
        if field.default is dataclasses.MISSING and field.name != "sources"
    ]
    assert complaint("") == (
        f"my.toml: missing: name, description, task and {len(needed) - 3} more"
    )


@pytest.mark.parametrize(
    ("wrong", "right"), [("batchsize", "batch_size"), ("epoch", "epochs")]
)
def test_unknown_key_suggests(resnet50: Workload, wrong: str, right: str) -> None:
    """A key that is nearly right is answered with the right one and its line."""
    message = complaint(f"{wrong} = 1\n" + dump_workload(resnet50))
    assert message == f"my.toml:1: {wrong}: this key is not known; did you mean {right}?"


def test_unknown_key_in_sources(resnet50: Workload) -> None:
    """A source must be of a figure that exists."""
    text = dump_workload(resnet50).replace("[sources]", '[sources]\nepoch = "me"')
    assert "sources.epoch: this key is not known; did you mean epochs?" in complaint(text)


def test_table_that_is_none(resnet50: Workload) -> None:
    """A value in the place of a table is refused at its line."""
    text = "reference = 3\n" + dump_workload(resnet50).partition("[sources]")[0]
    assert complaint(text) == "my.toml:1: reference: a table [reference] is expected"


def test_optional_parts(resnet50: Workload) -> None:
    """Sources and the benchmark may be left out of a user's profile."""
    text = lines_of(resnet50, benchmark=None, benchmark_units_per_sample=None)
    figures, _, rest = text.partition("[sources]")
    workload = parse_workload(
        figures + "[reference]" + rest.partition("[reference]")[2], "x"
    )
    assert workload.sources == {}
    assert workload.reference.benchmark == ""
    assert math.isclose(workload.reference.benchmark_units_per_sample, 1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!doctype html><title>404</title>", "web page"),
        ("  <?xml version='1.0'?>", "web page"),
        ('{"name": "resnet50"}', "not valid TOML"),
        ("name = 'a'\nname = 'b'\n", "line 2"),
        ("a = " + "[" * 100_000, "nested"),
    ],
)
def test_other_texts(text: str, expected: str) -> None:
    """What is no TOML is called what it is."""
    assert expected in complaint(text)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resnet-50", "resnet50"),
        ("ResNet50", "resnet50"),
        ("vit", "vit-b16"),
        ("gpt2", "gpt2-124m"),
        ("mask-rcnn-r50", "maskrcnn-r50"),
        ("yolo8n", "yolov8n"),
    ],
)
def test_unknown_name_suggests(name: str, meant: str) -> None:
    """A name that is nearly right is answered with the right one."""
    assert file_complaint(name).endswith(f"did you mean {meant}?")
    assert f"is called {meant}" in file_complaint(f"nowhere/{name}.toml")


def test_unknown_name_lists_known() -> None:
    """A name that is near nothing is answered with all names."""
    assert "'advisor workloads list' shows" in file_complaint("qqqq")


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\0b.toml", "x" * 5000 + ".toml"])
def test_odd_names(name: str) -> None:
    """Names that no file can have are refused like any other."""
    assert len(file_complaint(name)) < 400


def test_folder(tmp_path: Path) -> None:
    """A folder is no profile, and the message says so."""
    assert "is a folder" in file_complaint(tmp_path)


def test_binary_file(tmp_path: Path) -> None:
    """A picture, or text that is not UTF-8, is refused as such."""
    for data in b"\x89PNG\r\n\x1a\n\0\0", "naïve".encode("latin-1"), b"a = 1\0":
        path = tmp_path / "image.toml"
        path.write_bytes(data)
        assert "is not UTF-8 text" in file_complaint(path)


def test_large_file(tmp_path: Path) -> None:
    """A file of more than a megabyte is refused without being parsed."""
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * 1_000_001)
    assert "larger than 1 MB" in file_complaint(path)


def test_file_with_byte_order_mark(tmp_path: Path, resnet50: Workload) -> None:
    """A file as Windows editors write it loads: byte order mark, CR LF."""
    path = tmp_path / "windows.toml"
    text = "\ufeff" + dump_workload(resnet50).replace("\n", "\r\n")
    path.write_bytes(text.encode())
    assert load_workload(str(path)) == resnet50


def test_saved_profiles_have_names(tmp_path: Path, resnet50: Workload) -> None:
    """A profile in a user's folder is known by its file's name and is listed."""
    mine = dataclasses.replace(resnet50, name="mine", epochs=3)
    (tmp_path / "mine.toml").write_text(dump_workload(mine), encoding="utf-8")
    library = Library(tmp_path)
    assert library.load("mine") == mine
    known, broken = library.all()
    assert mine in known
    assert not broken
    assert len(known) == len(list_workloads()) + 1


def test_saved_profile_comes_before_built_in(tmp_path: Path, resnet50: Workload) -> None:
    """The user's own profile of a built-in name is the one that is meant."""
    mine = dataclasses.replace(resnet50, epochs=3)
    (tmp_path / "resnet50.toml").write_text(dump_workload(mine), encoding="utf-8")
    library = Library(tmp_path)
    assert library.load("resnet50") == mine
    assert len(library.all()[0]) == len(list_workloads())


@given(workloads(), workloads())
def test_inheritance_is_replacement(parent: Workload, child: Workload) -> None:
    """A profile that extends another and gives every figure is the one that it gives."""
    text = dump_workload(child)
    extended = parse_workload(f'extends = "p"\n{text}', "x", lambda _: parent)
    own = dataclasses.replace(extended, sources=child.sources)
    assert own == child


@given(workloads(), st.sampled_from([*FIGURES, "epochs", "batch_size"]))
def test_one_figure_is_overridden(parent: Workload, name: str) -> None:
    """The rest is the parent's, and the source says whose the figure is.

    But for what checkpointing keeps, which goes with the activations.
    """
    value = min(getattr(parent, name), 1.0 if name in FIGURES else 1)
    text = f'extends = "p"\n{name} = {value!r}\n'
    # More trained parameters, or embeddings, than there are parameters are refused.
    least = max(parent.trainable_parameters_m, parent.embedding_parameters_m)
    assume(name != "parameters_m" or value >= least)
    child = parse_workload(text, "x", lambda _: parent, parent.name)
    assert getattr(child, name) == value
    changed = {name, "checkpointed_mb_per_sample", "sources", "reference"}
    back = dataclasses.replace(child, **{key: getattr(parent, key) for key in changed})
    assert back == parent
    assert child.sources.get(name, "set by the user") == "set by the user"


def test_what_cannot_be_extended(resnet50: Workload) -> None:
    """Without a place to look, and with no text for a name, the line is told."""
    assert "no other profile can be extended here" in complaint('extends = "resnet50"\n')
    with pytest.raises(UsageError, match=r"x:1: extends: a string is expected"):
        parse_workload("extends = 3\n", "x", lambda _: resnet50)


def test_more_operations_are_a_lower_level(resnet50: Workload) -> None:
    """A sample with twice the operations counts as two of the benchmark's samples."""
    twice = f'extends = "p"\nforward_gflops_per_sample = {2 * 8.178}\n'
    child = parse_workload(twice, "x", lambda _: resnet50, "mine")
    assert child.reference.benchmark_units_per_sample == pytest.approx(2.0)
    assert "resnet50" in child.sources["benchmark_units_per_sample"]


@pytest.mark.parametrize("units", [1.0, 3.0])
def test_stated_units_stand(resnet50: Workload, units: float) -> None:
    """Units that a profile or ``--set`` states count, also those of the parent."""
    key = "benchmark_units_per_sample"
    twice = f'extends = "p"\nforward_gflops_per_sample = {2 * 8.178}\n'
    told = f"{twice}[reference]\n{key} = {units}\n"
    own = parse_workload(told, "x", lambda _: resnet50, "mine")
    assert own.reference.benchmark_units_per_sample == units
    figures = {"forward_gflops_per_sample": 2 * 8.178, f"reference.{key}": units}
    changed = override(resnet50, figures)
    assert changed.reference.benchmark_units_per_sample == units
