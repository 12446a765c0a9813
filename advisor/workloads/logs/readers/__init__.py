"""Readers of logs, a small module each; adding one touches nothing but the list here."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.workloads.logs.found import Reader
from advisor.workloads.logs.readers import (
    detectron2,
    fairseq,
    hf_trainer,
    keras,
    lerobot,
    megatron,
    metric_logger,
    mmengine,
    nanogpt,
    paddle,
    rich_bars,
    timm,
    torch_imagenet,
    torchtune,
    tqdm,
    ultralytics,
)

READERS: Sequence[Reader] = (
    hf_trainer.read,
    ultralytics.read,
    megatron.read,
    lerobot.read,
    mmengine.read,
    detectron2.read,
    fairseq.read,
    timm.read,
    torch_imagenet.read,
    metric_logger.read,
    keras.read,
    nanogpt.read,
    paddle.read,
    rich_bars.read,
    torchtune.read,
    tqdm.read,
)
"""Those that know a tool's own lines go before those that know any bar."""
