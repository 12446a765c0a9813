"""Parts of the hooks by themselves, without PyTorch."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.measure.hooks.batches import batch_of
from advisor.measure.hooks.counters import Loading, mapped_bytes, written
from advisor.measure.hooks.gpu import Gpu
from advisor.measure.hooks.imports import AfterImport
from advisor.measure.hooks.nets import autocast_of, held_in, numbers
from advisor.measure.hooks.observation import KIND, Observation
from advisor.measure.hooks.quiet import Notes
from advisor.measure.hooks.settings import settings
from advisor.measure.hooks.stopping import Stopping
from advisor.measure.hooks.windows import Plan


@dataclass
class Array:
    """What a batch is made of, as NumPy and PyTorch have it."""

    shape: tuple[int, ...]
    dtype: str = "torch.float32"

    @property
    def nbytes(self) -> int:
        return 4 * math.prod(self.shape)


@given(st.integers(1, 500), st.integers(0, 3), st.booleans())
def test_rows_are_those_of_most_tensors(rows: int, depth: int, odd: bool) -> None:
    """However deep, and beside one that is of another length."""
    batch: Any = {"x": Array((rows, 3)), "y": [Array((rows,)), Array((rows, 2, 2))]}
    for _ in range(depth):
        batch = (batch, "a name", 3)
    if odd:
        batch = [batch, Array((rows + 1,)), Array(())]
    found = batch_of(batch)
    assert found.rows == rows
    assert found.bytes == 4 * (rows * 8 + (rows + 2 if odd else 0))


def test_a_batch_without_tensors_has_no_rows() -> None:
    """Nor bytes; and what holds itself ends."""
    endless: list[Any] = ["text", None, 1.5]
    endless.append(endless)
    assert batch_of(endless).rows is None
    assert batch_of(endless).bytes == 0.0


def test_names_say_the_way_to_a_tensor() -> None:
    """Keys and places, joined by dots."""
    (one, other) = batch_of({"a": [Array((2,))], "b": Array((2, 3))}).described()
    assert (one.name, one.shape, one.dtype) == ("a.0", [2], "float32")
    assert (other.name, other.shape) == ("b", [2, 3])


@given(st.none() | st.integers(1, 300), st.none() | st.floats(1.0, 1e4))
def test_a_plan_leaves_steps_to_time(steps: int | None, seconds: float | None) -> None:
    """Whatever is asked: a third of six steps or more is neither warm-up nor counted."""
    plan = Plan.of(steps, seconds)
    taken = plan.warm_up + plan.counted + plan.settle
    assert min(plan.warm_up, plan.counted, plan.settle) >= 1
    if steps is None or steps >= 6:
        assert taken <= (steps or 100) * 2 / 3


def test_slow_steps_do_not_use_up_the_time() -> None:
    """After a quarter of it, a phase is over whatever the number of its steps."""
    plan = Plan.of(None, 60.0)
    assert not plan.is_warm(1, 10.0)
    assert plan.is_warm(1, 16.0)
    assert plan.is_counted(1, 16.0)
    assert not plan.is_settled(2, 8.0, 10.0), "eight steps lie in the queue"
    assert plan.is_settled(2, 8.0, 16.0)


def test_a_worker_leaves_what_it_spent(tmp_path: Path) -> None:
    """All but the first batch; what is torn is left out."""
    loading = Loading(7, str(tmp_path))
    for _ in range(3):
        loading.add(loading.reading(), 5.0)
    (tmp_path / "worker-1.bin").write_bytes(b"torn")
    (found,) = written(str(tmp_path))
    assert (found.seed, found.batches, found.samples) == (7, 3.0, 10.0)
    assert 0.0 <= found.fetch_cpu_s <= found.loading_cpu_s


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_reading_the_counters_is_not_counted(tmp_path: Path) -> None:
    """A file of so many bytes is that many bytes, to the byte."""
    path = tmp_path / "sample"
    path.write_bytes(bytes(54_321))
    loading = Loading()
    for _ in range(2):
        before = loading.reading()
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            file.readall()
        loading.add(before, 1.0)
    if loading.loaded.read_bytes < 0.0:
        pytest.skip("this system does not count what is read")
    assert loading.loaded.read_bytes == 54_321.0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_data_that_are_mapped_are_seen(tmp_path: Path) -> None:
    """Reads do not count them: the size of their file does."""
    import mmap  # noqa: PLC0415

    path = tmp_path / "tokens"
    path.write_bytes(bytes(1_000_000))
    before = mapped_bytes()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        assert mapped_bytes() - before == 1_000_000


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that can be imported, and is forgotten afterwards."""
    name = "imported_for_a_test"
    (tmp_path / f"{name}.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


def test_something_is_done_after_an_import(module: str) -> None:
    """Once, when the module is whole; its loader is its own, the finder is gone."""
    seen: list[ModuleType] = []
    finder = AfterImport(module, seen.append)
    finder.install()
    imported = __import__(module)
    assert seen == [imported]
    assert imported.value == 3
    assert "exec_module" not in vars(imported.__spec__.loader)
    assert finder not in sys.meta_path


def test_other_imports_are_not_touched(module: str) -> None:
    """And a module that is not there is not there."""
    finder = AfterImport("there_is_no_such_module", pytest.fail)
    finder.install()
    try:
        assert __import__(module).value == 3
        with pytest.raises(ModuleNotFoundError):
            __import__("there_is_no_such_module")
    finally:
        finder.remove()


@pytest.mark.parametrize(
    ("steps", "seconds", "expected"),
    [("12", "", (12, None)), ("", "1.5", (None, 1.5)), ("many", "-3", (None, None))],
)
def test_settings_come_from_variables(
    monkeypatch: pytest.MonkeyPatch,
    steps: str,
    seconds: str,
    expected: tuple[int | None, float | None],
) -> None:
    """What is no number limits nothing; without a folder nothing is hooked."""
    monkeypatch.setenv("ADVISOR_PROFILE_STEPS", steps)
    monkeypatch.setenv("ADVISOR_PROFILE_SECONDS", seconds)
    monkeypatch.delenv("ADVISOR_PROFILE_FOLDER", raising=False)
    assert settings() is None
    monkeypatch.setenv("ADVISOR_PROFILE_FOLDER", "there")
    asked = settings()
    assert asked is not None
    assert (asked.steps, asked.seconds) == expected


def test_a_fault_of_ours_is_a_note() -> None:
    """With its kind and no more: its words may name files. Ctrl-C passes."""
    notes = Notes()

    @notes.quietly("A thing")
    def fail(error: BaseException) -> None:
        raise error

    assert fail(OSError("/home/somebody/data")) is None
    assert fail(OSError("again")) is None
    assert notes.sentences == ["A thing could not be seen (OSError)."]
    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())


@pytest.fixture
def hooks_of_exceptions() -> Iterator[None]:
    """`sys.excepthook` and the handler of SIGINT as they were."""
    before, handler = sys.excepthook, signal.getsignal(signal.SIGINT)
    yield
    sys.excepthook = before
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("hooks_of_exceptions")
def test_a_stop_that_nothing_catches_ends_with_status_0(tmp_path: Path) -> None:
    """And any other exception as ever."""
    told: list[str] = []
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopping = Stopping(3, None, str(tmp_path), told.append)
    stopping.check(2, 0, 1)
    with pytest.raises(KeyboardInterrupt) as stop:
        stopping.check(3, 0, 1)
    stopping.check(4, 0, 1)  # too soon to insist
    assert told == ["steps"]
    with pytest.raises(SystemExit) as ended:
        sys.excepthook(stop.type, stop.value, stop.tb)
    assert ended.value.code == 0


@pytest.mark.usefixtures("hooks_of_exceptions")
def test_the_programs_own_handler_runs_first(tmp_path: Path) -> None:
    """As for Ctrl-C, nothing is raised then."""
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    Stopping(1, None, str(tmp_path), str).check(1, 0, 1)
    assert came == [signal.SIGINT]


def test_what_the_profiler_calls_a_kernel() -> None:
    """Kernels count; copies, fillings, remarks and what the host does are none."""
    cuda, cpu = "DeviceType.CUDA", "DeviceType.CPU"
    names = [
        ("ampere_sgemm_128x64_tn", cuda, False),
        ("void at::native::vectorized_elementwise_kernel", cuda, False),
        ("Memcpy HtoD (Pinned -> Device)", cuda, False),
        ("Memset (Device)", cuda, False),
        ("Optimizer.step#AdamW.step", cuda, True),
        ("aten::mm", cpu, False),
    ]
    events = [
        SimpleNamespace(name=name, device_type=kind, is_user_annotation=remark)
        for name, kind, remark in names
    ]
    profiler = SimpleNamespace(
        start=lambda: None, stop=lambda: None, events=lambda: events
    )
    activity = SimpleNamespace(CUDA="cuda")
    torch = SimpleNamespace(
        cuda=SimpleNamespace(is_initialized=lambda: False),
        profiler=SimpleNamespace(ProfilerActivity=activity, profile=lambda **_: profiler),
    )
    gpu = Gpu(torch)
    assert gpu.stop_profiling() is None
    gpu.start_profiling()
    assert gpu.stop_profiling() == 2.0


def test_autocast_is_read_in_the_way_of_each_pytorch() -> None:
    """Since 2.4 by the kind of device; before, a function for each."""

    def by_kind(kind: str) -> bool:
        return kind == "cpu"

    new = SimpleNamespace(
        is_autocast_enabled=by_kind, get_autocast_dtype=lambda _: "torch.bfloat16"
    )
    old = SimpleNamespace(
        is_autocast_enabled=lambda: True, get_autocast_gpu_dtype=lambda: "torch.float16"
    )
    assert autocast_of(new) == ("cpu", "bfloat16")
    assert autocast_of(old) == ("cuda", "float16")


def test_parameters_that_are_packed_or_sharded_count_whole() -> None:
    """Four bits of bitsandbytes, FSDP's flat ones, DeepSpeed's."""
    packed = SimpleNamespace(quant_state=SimpleNamespace(shape=(8, 16)), quant_type="nf4")
    flat = SimpleNamespace(_unpadded_unsharded_size=(1000,), dtype="torch.bfloat16")
    deep = SimpleNamespace(ds_numel=64, dtype="torch.float16")
    plain = SimpleNamespace(numel=lambda: 6, dtype="torch.float32")
    assert [numbers(one) for one in (packed, flat, deep, plain)] == [128, 1000, 64, 6]
    assert [held_in(one) for one in (packed, plain)] == ["nf4", "float32"]


def test_the_document_is_plain_and_names_nobody() -> None:
    """Its kind and version come first; it says nothing that was not seen."""
    document = Observation().document()
    assert list(document)[:2] == ["kind", "version"]
    assert document["kind"] == KIND
    assert document["counted"]["samples"] is None
    assert os.environ.get("HOME", "/root") not in str(document)
