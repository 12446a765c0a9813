"""Throughput from progress lines: tqdm, Lightning, the Trainer, timm."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import UsageError
from advisor.workloads.logs import read_log

TQDM = (
    " 10%|#         | 100/1000 [00:50<07:30,  2.00it/s]\r"
    " 50%|#####     | 500/1000 [01:40<01:40,  5.00it/s, loss=0.3]\r"
    "100%|##########| 1000/1000 [03:20<00:00,  5.20it/s, loss=0.3]\n"
)
LIGHTNING = (
    "Epoch 0:  50%|#####     | 250/500 [00:50<00:50,  5.00it/s, v_num=0]\n"
    "Epoch 0: 100%|##########| 500/500 [01:40<00:00,  5.00it/s, v_num=0]\n"
)
SLOW = "  3%|3 | 3/100 [00:12<06:28,  4.00s/it]\n"
TRAINER = (
    "{'loss': 0.2, 'learning_rate': 1e-5, 'epoch': 1.0}\n"
    "{'train_runtime': 120.5, 'train_samples_per_second': 412.5, "
    "'train_steps_per_second': 1.61, 'train_loss': 0.3}\n"
)
STATE = '{"log_history": [{"train_samples_per_second": 412.5}]}'
TIMM = (
    "Train: 0 [   0/1251 (  0%)]  Loss: 6.9 (6.93)  Time: 4.221s,   60.65/s  "
    "(4.221s,   60.65/s)  LR: 1.000e-06  Data: 2.5 (2.5)\n"
    "Train: 0 [  50/1251 (  4%)]  Loss: 6.9 (6.93)  Time: 0.350s,  731.43/s  "
    "(0.426s,  600.94/s)  LR: 1.000e-06  Data: 0.01 (0.06)\n"
)
PLAIN = "step 10 loss 0.1 | 311.0 images/s\nstep 20 loss 0.1 | 310 images/sec\n"


@pytest.mark.parametrize(
    ("text", "rate", "kind"),
    [
        (TQDM, 64 * 5.1, "tqdm"),
        (LIGHTNING, 64 * 5.0, "tqdm"),
        (SLOW, 64 / 4.0, "tqdm"),
        (TRAINER, 412.5, "Hugging Face Trainer"),
        (STATE, 412.5, "Hugging Face Trainer"),
        (TIMM, 600.94, "timm"),
        (PLAIN, 310.0, "samples/s"),
    ],
)
def test_common_logs(text: str, rate: float, kind: str) -> None:
    """The steady rate of each, in samples/s of all GPUs together."""
    found = read_log(text, "log", 64.0)
    assert found.samples_per_s == pytest.approx(rate)
    assert found.kind == kind


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a file holds: a rate above zero, or one error of ours."""
    with contextlib.suppress(UsageError):
        assert read_log(text, "log", 1.0).samples_per_s > 0.0


def test_a_rate_of_zero_is_none() -> None:
    """A bar that stands still says nothing."""
    with pytest.raises(UsageError, match="no line tells"):
        read_log("0%| | 0/10 [00:00<?, 0.00it/s]\n", "log", 8.0)
