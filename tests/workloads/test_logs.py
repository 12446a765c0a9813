"""Throughput by evidence: what each tool prints, and what is not believed."""

from __future__ import annotations

import codecs
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.workloads.logs import Asked, LogReading, read_log
from advisor.workloads.logs.reading import read_from
from advisor.workloads.logs.text import HEAD_BYTES, TAIL_BYTES, numbered

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"


def read(text: str, batch: int | None = 64, num_gpus: int = 1) -> LogReading:
    return read_from(numbered(text, 1), "log", Asked(batch, num_gpus))


def bar(name: str, steps: int, seconds: int, parts: int = 5, post: str = "") -> str:
    """Return a bar of tqdm, drawn again and again in one line."""
    shown = []
    for part in range(1, parts + 1):
        number, at = steps * part // parts, seconds * part // parts
        clock = f"{at // 60:02d}:{at % 60:02d}"
        rate = f"{steps / seconds:.2f}it/s"
        shown.append(
            f"{name}{part * 20:3d}%|##| {number}/{steps} [{clock}<00:00, {rate}{post}]"
        )
    return "\r".join(shown) + "\n"


TOOLS = {
    "tqdm": (bar("Epoch 1: ", 500, 100, post=", loss=0.3"), 320.0),
    "slow": (bar("Training: ", 25, 100), 16.0),
    "two epochs": (bar("Epoch 0: ", 50, 20) + bar("Epoch 1: ", 50, 20), 160.0),
    "Trainer": (
        (
            "{'loss': 0.2, 'learning_rate': 1e-5, 'epoch': 1.0}\n"
            "{'train_runtime': 120.5, 'train_samples_per_second': 412.5, "
            "'train_steps_per_second': 6.445, 'train_loss': 0.3, 'epoch': 1.0}\n"
        ),
        412.5,
    ),
    "Trainer before 4.6": (
        "{'train_runtime': 100.0, 'train_samples_per_second': 5.0, 'epoch': 1.0}\n",
        320.0,
    ),
    "state of a Trainer": (
        json.dumps(
            {
                "train_runtime": 120.5,
                "train_samples_per_second": 412.5,
                "train_steps_per_second": 6.445,
            },
            indent=1,
        ),
        412.5,
    ),
    "timm": (
        (
            "Train: 0 [   0/1251 (  0%)]  Loss: 6.9 (6.93)  Time: 4.221s,   15.16/s  "
            "(4.221s,   15.16/s)  LR: 1.000e-06  Data: 2.5 (2.5)\n"
            "Train: 0 [  50/1251 (  4%)]  Loss: 6.9 (6.93)  Time: 0.350s,  182.86/s  "
            "(0.426s,  150.23/s)  LR: 1.000e-06  Data: 0.01 (0.06)\n"
        ),
        150.23,
    ),
    "ImageNet example": (
        (
            "Epoch: [0][  10/5005]\tTime  0.273 ( 0.281)\tLoss 6.9e+00 (7.0e+00)\n"
            "Test: [ 0/196]\tTime  0.100 ( 0.100)\tLoss 6.9e+00 (7.0e+00)\n"
            "Epoch: [0][ 400/5005]\tTime  0.273 ( 0.281)\tLoss 6.9e+00 (7.0e+00)\n"
        ),
        64 / 0.281,
    ),
    "torchvision": (
        (
            "Epoch: [0]  [   0/1000]  eta: 1:00:00  loss: 6.9 (7)  time: 3.0  data: 2\n"
            "Epoch: [0]  [ 999/1000]  eta: 0:00:00  loss: 6.9 (7)  time: 0.25  data: 0\n"
            "Epoch: [0] Total time: 0:04:16 (0.2560 s / it)\n"
            "Test:  [ 0/100]  eta: 0:00:10  loss: 6.9 (6.9)  time: 0.1  data: 0.0\n"
        ),
        250.0,
    ),
    "Keras": (
        (
            "Epoch 1/2\n118/118 [====] - 20s 160ms/step - loss: 0.9\n"
            "Epoch 2/2\n118/118 [====] - 19s 160ms/step - loss: 0.8\n"
            "30/30 [====] - 1s 20ms/step - loss: 0.7\n"
        ),
        400.0,
    ),
    "Megatron": (
        (
            " iteration  10/  20 | elapsed time per iteration (ms): 640.0 | "
            "global batch size:  64 | lm loss: 7.4E+00 |\n"
            " iteration  20/  20 | elapsed time per iteration (ms): 640.0 | "
            "global batch size:  64 | lm loss: 7.3E+00 |\n"
        ),
        100.0,
    ),
    "NeMo": (
        "Training epoch 0, iteration 0/9 | lr: 3e-05 | global_batch_size: 64 | "
        "global_step: 0 | train_step_timing in s: 20.1 | consumed_samples: 64\n"
        + "".join(
            f"Training epoch 0, iteration {at}/9 | lr: 3e-05 | global_batch_size: 64 | "
            f"global_step: {at} | train_step_timing in s: 6.4\n"
            for at in range(1, 10)
        ),
        10.0,
    ),
    "nanoGPT": (
        (
            "tokens per iteration will be: 16,384\nOverriding: block_size = 256\n"
            "iter 0: loss 4.2, time 9000.00ms, mfu -100.00%\n"
            "iter 10: loss 3.2, time 160.00ms, mfu 38.20%\n"
            "step 20: train loss 3.1, val loss 3.2\n"
            "iter 20: loss 3.1, time 5000.00ms, mfu 38.20%\n"
            "iter 30: loss 3.1, time 160.00ms, mfu 38.20%\n"
        ),
        400.0,
    ),
    "mmengine": (
        (
            "Epoch(train)  [1][ 50/100]  lr: 2e-02  eta: 1:00:00  time: 0.4  loss: 1.2\n"
            "Epoch(train)  [1][100/100]  lr: 2e-02  eta: 1:00:00  time: 0.4  loss: 1.2\n"
            "Epoch(val)  [1][10/10]  eta: 0:00:00  time: 0.1  data_time: 0.0\n"
        ),
        160.0,
    ),
    "mmcv": (
        (
            "2023-05-01 - mmdet - INFO - Epoch [1][50/100]\tlr: 2e-02, eta: 1:00:00, "
            "time: 0.400, data_time: 0.01, memory: 3821, loss: 1.2\n"
            "2023-05-01 - mmdet - INFO - Epoch [1][100/100]\tlr: 2e-02, eta: 1:00:00, "
            "time: 0.400, data_time: 0.01, memory: 3821, loss: 1.2\n"
        ),
        160.0,
    ),
    "detectron2": (
        (
            "SOLVER:\n  IMS_PER_BATCH: 64\n"
            "d2.utils.events INFO:  eta: 0:10:00  iter: 19  total_loss: 1.5  time: 0.32  "
            "data_time: 0.01\n"
            "d2.utils.events INFO:  eta: 0:00:00  iter: 99  total_loss: 1.4  time: 0.32  "
            "data_time: 0.01\n"
            "Overall training speed: 98 iterations in 0:00:31 (0.3200 s / it)\n"
        ),
        98 * 64 / 31,
    ),
    "fairseq": (
        (
            "train_inner | epoch 1: 100 / 400 loss=9.1, ups=2, bsz=64, num_updates=100\n"
            "valid | epoch 001 | loss 9 | wps 9000 | bsz 8 | num_updates 100\n"
            "train_inner | epoch 1: 200 / 400 loss=9.1, ups=2, bsz=64, num_updates=200\n"
        ),
        128.0,
    ),
    "torchtune": (
        (
            "batch_size: 4\ngradient_accumulation_steps: 16\n"
            "1|5|Loss: 1.5:  50%|##| 5/10 [00:50<00:50, 10.0s/it]\n"
            "1|10|Loss: 1.4: 100%|##| 10/10 [01:40<00:00, 10.0s/it]\n"
        ),
        6.4,
    ),
    "LeRobot": (
        (
            "step:200 smpl:13K ep:2 loss:1.0 updt_s:0.3 data_s:0.02\n"
            "step:400 smpl:26K ep:2 loss:0.9 updt_s:0.3 data_s:0.02\n"
        ),
        200.0,
    ),
    "Lightning (rich)": (
        (
            "Epoch 0/0  ━━━━━━ 1000/1000 0:02:10 • 0:00:00 7.66it/s v_num: 0.000\n"
            "Testing ━━━━ 200/200 0:00:04 • 0:00:00 50.0it/s\n"
        ),
        64 * 7.66,
    ),
    "old YOLO": (
        (
            "  1/2  7G  1.2  1.4  1.2  9  640: 100%|###| 92/92 [00:30<00:00, 3.01it/s]\n"
            "   Class  Images  Box(P  R  mAP50: 100%|###| 12/12 [00:01<00:00, 9.3it/s]\n"
            "  2/2  7G  1.2  1.4  1.2  9  640: 100%|###| 92/92 [00:30<00:00, 3.01it/s]\n"
        ),
        64 * 3.01,
    ),
    "new YOLO": (
        (
            "engine/trainer: task=detect, mode=train, epochs=1, batch=64, imgsz=640\n"
            "      1/1  7.1G  1.2  1.4  1.2  183  640: 100% ━━━━ 92/92 3.0it/s 30.5s\n"
        ),
        64 * 92 / 30.5,
    ),
    "Paddle": (
        (
            "[Train][Epoch 1/1][Iter: 20/40]loss: 4, batch_cost: 0.32s, ips: 200.0 s/s\n"
            "[Train][Epoch 1/1][Iter: 40/40]loss: 3, batch_cost: 0.32s, ips: 200.0 s/s\n"
        ),
        200.0,
    ),
}


@pytest.mark.parametrize("name", TOOLS)
def test_what_tools_print_is_read(name: str) -> None:
    """The rate of each in samples/s, by steps over the time they took."""
    text, rate = TOOLS[name]
    found = read(text)
    assert found.samples_per_s == pytest.approx(rate, rel=0.02)
    assert found.batch == 64
    assert found.assured


@pytest.mark.parametrize("name", TOOLS)
def test_other_ends_of_line_tell_the_same(name: str, tmp_path: Path) -> None:
    """Windows, a terminal's colors and PowerShell's UTF-16 change nothing."""
    text, rate = TOOLS[name]
    path = tmp_path / "log"
    for body in (
        text.replace("\n", "\r\n").encode(),
        codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le"),
        text.replace("\n", "\x1b[0m\n\x1b[32m").encode(),
    ):
        path.write_bytes(body)
        found = read_log(path, Asked(64, 1))
        assert found.samples_per_s == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize(
    "name",
    [
        *("Validation: ", "Epoch 1 [Val]: ", "Testing DataLoader 0: ", "sampling: "),
        *("Sanity Checking DataLoader 0: ", "Predicting: ", "Map (num_proc=8): "),
        *("Filter: ", "Running tokenizer on train dataset: ", "Downloading: "),
        *("Loading checkpoint shards: ", "Generating train split: ", "Converting: "),
        *("model.safetensors: ", "caching latents: ", "val loss 0.3: ", "Crunching: "),
        *("Collecting train features: ", "Transcode: "),
    ],
)
def test_bars_of_something_else_never_count(name: str) -> None:
    """Neither alone nor beside a training, with which they do not mix."""
    other = bar(name, 4000, 40)
    with pytest.raises(UsageError, match="no bar is of a training"):
        read(other)
    beside = read(other + bar("Epoch 1: ", 500, 100) + other)
    assert beside.samples_per_s == pytest.approx(320.0, rel=0.01)


def test_the_batch_is_said_or_nothing_is() -> None:
    """By the log, per device times devices times accumulation, else by the user."""
    text = TOOLS["tqdm"][0]
    counted = read(text, None)
    assert (counted.samples_per_s, counted.batch) == (None, None)
    assert counted.summary() == "tqdm: 500 steps in 100 s"
    assert read(text, 8, 2).samples_per_s == pytest.approx(80.0)
    header = (
        "***** Running training *****\n  Instantaneous batch size per device = 4\n"
        "  Total train batch size (w. parallel, distributed & accumulation) = 16\n"
        "  Gradient Accumulation steps = 2\n  Total optimization steps = 500\n"
    )
    stated = read(header + text, None, 2)
    assert stated.samples_per_s == pytest.approx(80.0)
    assert stated.batch == 8
    with pytest.raises(UsageError, match="of 2 devices"):
        read(header + text, None, 1)
    contradicted = read(header + text, 64, 2)
    assert contradicted.samples_per_s == pytest.approx(80.0)
    assert "the log states 16 samples per step, not the 128 given" in contradicted.marks


def test_a_bar_of_samples_needs_no_batch_for_its_rate() -> None:
    """It is told all the same, for predictions depend on it."""
    images = bar("Epoch 1: ", 5000, 100).replace("it/s", "img/s")
    found = read(images, None)
    assert (found.samples_per_s, found.batch) == (pytest.approx(50.0), None)
    assert read(images, 8).batch == 8
    assert read(f"    Batch size:  16\n{images}", None).batch == 16


def test_warm_up_is_left_out_and_stalls_are_not() -> None:
    """What is slow once, at the beginning, is warm-up; what comes again is not."""
    steps = [
        f"Epoch 1: {n}/100 [{60 + 2 * n // 60:d}:{2 * n % 60:02d}<00:00]\n"
        for n in range(1, 101)
    ]
    late = read("Epoch 1: 0/100 [00:00<?]\n" + "".join(steps), 1)
    assert late.samples_per_s == pytest.approx(0.5, rel=0.05)
    evidence = {part.part: part.says for part in late.evidence}
    assert evidence["warm-up"].startswith("left out: the first")
    at, stalled = 0, []
    for number in range(1, 101):
        at += 11 if number % 10 == 1 else 1
        stalled.append(f"Epoch 1: {number}/100 [{at // 60:02d}:{at % 60:02d}<00:00]\n")
    assert read("".join(stalled), 1).samples_per_s == pytest.approx(0.5, rel=0.05)


def test_a_resumed_run_counts_its_own_steps() -> None:
    """Whether the bar jumps there, or begins there, or the log says where it was."""
    jumped = "Training: 0/1000 [00:00<?, ?it/s]\n" + "".join(
        f"Training: {900 + 10 * n}/1000 [00:{5 * n:02d}<00:00]\r" for n in range(11)
    )
    assert read(jumped, 1).samples_per_s == pytest.approx(2.0, rel=0.05)
    begun = jumped.partition("\n")[2]
    assert read(begun, 1).samples_per_s == pytest.approx(2.0, rel=0.05)
    summary = (
        "{'train_runtime': 50.0, 'train_samples_per_second': 20.0, "
        "'train_steps_per_second': 20.0, 'train_loss': 0.1, 'epoch': 3.0}\n"
    )
    resumed = "Resuming training from checkpoint-900\n" + begun + "\n" + summary
    assert read(resumed, 1).samples_per_s == pytest.approx(2.0, rel=0.05)
    with pytest.raises(UsageError, match="nothing says from which step"):
        read("Continuing training from the last epoch\n" + summary, 1)
    last = "100%|##| 1000/1000 [00:50<00:00,  2.00it/s]\n"
    with pytest.raises(UsageError, match="nothing says from which step"):
        read(last + summary, 1)
    with pytest.raises(UsageError, match="no steps are counted between two times"):
        read(f"Training: {last}", 1)


def test_sources_that_disagree_are_refused() -> None:
    """Bar, summary and run time tell the same within 10 %, or nothing is believed."""
    summary = (
        "{{'train_runtime': {0}, 'train_samples_per_second': {1}, "
        "'train_steps_per_second': {2}, 'train_loss': 0.1, 'epoch': 1.0}}\n"
    )
    steps = bar("", 500, 100) + "{'loss': 0.1}\n"
    same = summary.format(104.0, 307.7, 4.808)
    assert read(steps + same).samples_per_s == pytest.approx(307.7)
    with pytest.raises(UsageError, match="contradicts itself"):
        read(steps + summary.format(50.0, 640.0, 10.0))


@pytest.mark.parametrize(
    "end",
    [
        "Traceback (most recent call last):\n  File x\nValueError: no\n",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n",
        "Killed\n",
        "/bin/bash: line 1:  2214 Killed                  python train.py\n",
        "Segmentation fault (core dumped)\n",
        "slurmstepd: error: *** JOB 1 CANCELLED AT 2026 DUE TO TIME LIMIT ***\n",
        "KeyboardInterrupt\n",
    ],
)
def test_a_process_that_died_measured_nothing(end: str) -> None:
    """Though its bar is drawn once more; what runs after it counts alone."""
    first = bar("Epoch 1: ", 500, 50).replace("500/500", "480/500")
    with pytest.raises(UsageError, match="the process died"):
        read(first + end)
    with pytest.raises(UsageError, match="the process died"):
        read(first + end + "Epoch 1:  96%|##| 480/500 [00:50<00:00, 10.0it/s]\n")
    again = read(first + end + bar("Epoch 1: ", 500, 100))
    assert again.samples_per_s == pytest.approx(320.0)


def test_an_unfinished_log_is_marked() -> None:
    """It was cut, and nothing shows that the process failed."""
    found = read(bar("Epoch 1: ", 500, 100).replace("/500", "/5000"))
    assert found.samples_per_s == pytest.approx(320.0)
    assert any(mark.startswith("unfinished") for mark in found.marks)
    with pytest.raises(UsageError, match="warm-up"):
        read("Epoch 1: 1/500 [00:14<?]\n")


def test_a_bar_without_a_name_is_believed_by_word_alone() -> None:
    """Of several nothing says which; beside an evaluation it may be one."""
    assert not read(bar("", 500, 100)).assured
    assert not read(bar("", 500, 100) + "loss 0.3\n").assured
    assert read(2 * (bar("", 500, 100) + "loss 0.3\n")).assured
    with pytest.raises(UsageError, match="which bar is the training"):
        read(bar("", 500, 100) + bar("", 90, 20))
    first, second = bar("", 500, 100).split("\r", 1)
    nested = read(f"{first}\r{bar('', 90, 20)}{second}{bar('', 90, 20)}")
    assert nested.samples_per_s == pytest.approx(320.0, rel=0.02)
    assert not nested.assured
    with pytest.raises(UsageError, match="no bar is of a training"):
        read("***** Running Evaluation *****\n" + bar("", 500, 100))


def test_a_bar_of_epochs_counts_no_steps() -> None:
    """Alone it shows nothing; around the bars of each epoch it is left aside."""
    with pytest.raises(UsageError, match="may count epochs"):
        read(bar("Epoch: ", 5, 500))
    epochs = "Epoch:  50%|##| 1/2 [00:20<00:20, 20.0s/it]\n"
    inner = bar("Iteration: ", 50, 20)
    found = read(inner + epochs + inner + epochs.replace("1/2 [00:20", "2/2 [00:40"))
    assert found.samples_per_s == pytest.approx(160.0, rel=0.02)


def test_a_large_log_is_read_at_both_ends(tmp_path: Path) -> None:
    """The batch stands at its beginning, the last step at its end."""
    path = tmp_path / "log"
    every = 4 + (HEAD_BYTES + TAIL_BYTES) // 70
    with path.open("w") as file:
        file.write("  Total train batch size (w. parallel) = 32\n")
        for number in range(every + 1):
            clock = f"{number // 3600:d}:{number // 60 % 60:02d}:{number % 60:02d}"
            end = "\r" if number % 1000 else "\n"
            share = f"{100 * number // every:3d}%|          | {number}/{every}"
            file.write(f"Training: {share} [{clock}<0:00:00,  1.00it/s, loss=0.5]{end}")
    assert path.stat().st_size > HEAD_BYTES + TAIL_BYTES
    found = read_log(path, Asked(None, 1))
    assert found.samples_per_s == pytest.approx(32.0, rel=0.001)
    counted = next(part for part in found.evidence if part.part == "counted")
    assert counted.says.startswith(f"{every:,} steps")
    assert "from the end" in counted.source


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds: a rate above zero, or one error of ours."""
    with contextlib.suppress(UsageError):
        assert (read(text).samples_per_s or 0.0) > 0.0


LINES = st.sampled_from([line for text, _ in TOOLS.values() for line in text.split("\n")])


@given(st.lists(LINES, max_size=12))
def test_lines_in_any_order_are_read_or_refused(lines: list[str]) -> None:
    """Logs are torn, mixed and cut: a rate above zero, or one error of ours."""
    with contextlib.suppress(UsageError):
        assert (read("\n".join(lines)).samples_per_s or 0.0) > 0.0


@pytest.mark.parametrize("kind", ["absent", "folder", "binary"])
def test_what_is_no_log_is_refused(kind: str, tmp_path: Path) -> None:
    """One line that names it."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(bytes(range(256)) * 64)
    with pytest.raises(UsageError, match=kind):
        read_log(path, Asked(64, 1))


def shared_cases() -> list[dict[str, Any]]:
    try:
        found = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return list(found["record"])


needs_shared = pytest.mark.skipif(
    not CASES.exists(), reason="../shared/cases is not beside the checkout"
)


@needs_shared
@pytest.mark.parametrize("case", shared_cases(), ids=lambda case: case["log"])
def test_what_was_misread_once_is_read(case: dict[str, Any]) -> None:
    """Logs of public bug reports, each with its right rate."""
    found = read_log(CASES / "logs" / case["log"], Asked(case["batch"], 1))
    wanted = pytest.approx(case["samples_per_s"], rel=case["tolerance"])
    assert found.samples_per_s == wanted


@needs_shared
@pytest.mark.parametrize("script", ["prep", "crash"])
def test_what_trains_nothing_is_refused(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A preparation of data, and a training that died."""
    source = (CASES / "run" / f"{script}.py").read_text(encoding="utf-8")
    with contextlib.suppress(SystemExit):
        exec(compile(source, script, "exec"), {})  # noqa: S102  (what prints the log)
    with pytest.raises(UsageError, match=r"no bar is of a training|the process died"):
        read(capsys.readouterr().out)
