"""What a sample is, how many there are, and what it costs to have one ready."""

from __future__ import annotations

import math

from advisor.base.units import BYTES_PER_GB
from advisor.measure.hooks.observation import Loader, Observation, Tensor
from advisor.measure.observed import (
    micro_batches,
    trained_model,
    training_loader,
)
from advisor.measure.seen.figure import Figure, estimated, measured, stated, unseen
from advisor.workloads.dataset import Core

_CHANNELS = {1, 3, 4}

_LEAST_SAMPLES = 50
"""Samples whose CPU time says something."""

_MORE_LOG_SD = 0.1
"""Log-sd of a measured CPU time beside that of the core's speed: what it varies by from
run to run, and what a loop without DataLoader does besides (assumption)."""

_BOUND_LOG_SD = 0.5
"""Log-sd of a CPU time of which only a bound was seen: assumption."""

_READS_NOTHING = 128.0
"""Bytes read per sample below which nothing is read but the counters themselves, which
are text of a hundred bytes."""

_LEAST = 1e-6


def data_figures(
    observation: Observation, core: Core, epoch_samples: int | None
) -> dict[str, Figure]:
    """Return the figures of the data; those that were not seen are left out.

    Parameters
    ----------
    core : of this machine
    epoch_samples : that the user says an epoch has; None: nobody said
    """
    figures = _batch(observation)
    loader = training_loader(observation)
    samples = _epoch(loader, epoch_samples)
    if samples is not None:
        figures["samples_per_epoch"] = samples
    figures |= _bytes(observation, loader)
    if (disk := figures.get("disk_bytes_per_sample")) and samples is not None:
        figures["dataset_gb"] = estimated(
            disk.value * samples.value / BYTES_PER_GB, "bytes of a sample times samples"
        )
    figures |= _cpu_time(observation, loader, core)
    figures |= _tokens(observation, loader)
    return figures


def sample_words(observation: Observation) -> str | None:
    """Return what a sample is, such as ``image 224x224``; None: that was not seen."""
    size = picture_of(observation)
    if size is not None:
        return f"image {size[0]}x{size[1]}"
    if tokens := tokens_of(observation):
        return f"sequence of {tokens:,} tokens"
    inputs = _inputs(observation)
    if not inputs:
        return None
    return f"input {'x'.join(map(str, inputs[0].shape[1:])) or 'scalar'}"


def picture_of(observation: Observation) -> tuple[int, int] | None:
    """Return height and width of a picture that goes into the net; None: none does."""
    for one in _inputs(observation):
        if len(one.shape) == 4 and one.shape[1] in _CHANNELS:
            return one.shape[2], one.shape[3]
        if len(one.shape) == 4 and one.shape[3] in _CHANNELS:
            return one.shape[1], one.shape[2]
    return None


def tokens_of(observation: Observation) -> int | None:
    """Return the tokens of a sample that go into the net; None: it reads none."""
    lengths = [
        one.shape[1]
        for one in _inputs(observation)
        if len(one.shape) == 2
        and one.shape[1] > 1
        and one.dtype in {"int64", "int32"}
        and not _is_beside(one.name)
    ]
    return sum(lengths) or None


def _is_beside(name: str) -> bool:
    """Say whether a tensor tells something of tokens, and is none of them itself."""
    return any(word in name for word in ("mask", "position", "type", "label", "target"))


def _inputs(observation: Observation) -> list[Tensor]:
    """Return what the net is called with, or what the loader gives."""
    model, loader = trained_model(observation), training_loader(observation)
    if model is not None and model.inputs:
        return model.inputs
    return loader.tensors if loader is not None else []


def _batch(observation: Observation) -> dict[str, Figure]:
    steps = observation.steps
    if not steps.samples_per_step:
        return {}
    gpus = max(observation.distributed.gpus, 1)
    batch = max(round(steps.samples_per_step / gpus), 1)
    added = micro_batches(observation)
    words = {
        "loader": "samples of the DataLoader",
        "rows": "rows of its batches",
        "model": "rows that the net was called with",
    }.get(steps.samples_from or "", "samples")
    if added > 1.0:
        words += f" per optimizer step, which adds up {added:g} batches"
    else:
        words += " per optimizer step"
    return {"batch_size": measured(batch, words)}


def _epoch(loader: Loader | None, samples: int | None) -> Figure | None:
    if samples is not None:
        return stated(float(samples), "set by the user")
    if loader is None or not loader.samples_per_epoch:
        return None
    words = f"what the sampler of {loader.dataset or 'the data set'} draws"
    if loader.drop_last:
        words += ", without a last batch that is incomplete"
    return measured(float(loader.samples_per_epoch), words)


def _bytes(observation: Observation, loader: Loader | None) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if loader is not None and loader.fetched_samples and loader.read_bytes is not None:
        if loader.mapped_bytes and loader.dataset_samples:
            each = loader.mapped_bytes / loader.dataset_samples
            disk = estimated(each, "mapped files over the samples of the data set")
        else:
            each = loader.read_bytes / loader.fetched_samples
            words = "bytes that were read from files while samples were fetched"
            if each < _READS_NOTHING:
                each, words = 1.0, "nothing was read: the data set is in memory"
            disk = measured(each, words)
        figures["disk_bytes_per_sample"] = disk
    counted = observation.counted
    if counted.h2d_bytes and counted.samples:
        figures["gpu_bytes_per_sample"] = measured(
            counted.h2d_bytes / counted.samples, "bytes copied to the GPU"
        )
    elif loader is not None and loader.batch_bytes:
        figures["gpu_bytes_per_sample"] = estimated(
            loader.batch_bytes, "bytes of the tensors of a batch"
        )
    sent = figures.get("gpu_bytes_per_sample")
    if sent is not None and "disk_bytes_per_sample" not in figures:
        words = "reads were not seen: as many bytes as the net is given"
        figures["disk_bytes_per_sample"] = estimated(sent.value, words)
    return figures


def _cpu_time(
    observation: Observation, loader: Loader | None, core: Core
) -> dict[str, Figure]:
    """Return the milliseconds that the reference core takes for a sample."""
    if loader is not None and loader.fetch_cpu_s and loader.fetched_samples:
        here = loader.fetch_cpu_s / loader.fetched_samples * 1e3
        words = (
            f"{here:.3g} ms of CPU here, mean of {loader.fetched_samples:,.0f}, on a "
            f"core of {core.speed:.2f} ({core.source})"
        )
        if loader.fetched_samples < _LEAST_SAMPLES:
            words += ", which are few"
        return {
            "cpu_ms_per_sample": measured(max(here * core.speed, _LEAST), words),
            "cpu_ms_log_sd": measured(
                math.hypot(core.log_sd, _MORE_LOG_SD),
                "how well the speed of this machine's core is known, and repeats",
            ),
        }
    most = observation.loop.before_forward_s
    samples = observation.steps.samples_per_batch
    if most is None or not samples:
        return {}
    here = most / samples * 1e3
    words = (
        "no DataLoader was seen: at most what passed between a step and the next call of "
        f"the net, {here:.3g} ms a sample on a core of {core.speed:.2f} ({core.source})"
    )
    return {
        "cpu_ms_per_sample": estimated(max(here * core.speed, _LEAST), words),
        "cpu_ms_log_sd": unseen(_BOUND_LOG_SD, "only a bound was seen"),
    }


def _tokens(observation: Observation, loader: Loader | None) -> dict[str, Figure]:
    if picture_of(observation) is not None:
        return {}
    tokens = tokens_of(observation)
    if not tokens:
        return {}
    padding = loader.padding_share if loader is not None else None
    figures = {
        "tokens_per_sample": measured(float(tokens), "of what the net is called with")
    }
    if padding is not None:
        figures["padding_share"] = measured(
            min(padding, 0.999), "zeros of the attention mask"
        )
    return figures
