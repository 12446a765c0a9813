"""What figures of a profile say together that cannot be, each alone being right."""

from __future__ import annotations

import re

from advisor.base.errors import UsageError
from advisor.workloads.profile import Workload

_CUDA = re.compile(r"\d{1,2}\.\d{1,2}(?:\.\d+)?")

_QUANTIZED_BELOW = 1.5
"""Bytes of a weight on average: less, and most of them must be quantized."""


def contradiction(workload: Workload) -> tuple[str, str] | None:
    """Return the key of a figure that cannot be beside the others, and what is expected.

    None where all of them can be.
    """
    return _of_weights(workload) or _of_tokens(workload) or _of_image(workload)


def _of_weights(workload: Workload) -> tuple[str, str] | None:
    every, trained = workload.parameters_m, workload.trainable_parameters_m
    if trained > every:
        return (
            "trainable_parameters_m",
            f"no more than parameters_m ({every:g}) is expected",
        )
    if workload.embedding_parameters_m > every:
        return (
            "embedding_parameters_m",
            f"no more than parameters_m ({every:g}) is expected",
        )
    if workload.technique != "full" and trained == every:
        problem = f"less than parameters_m is expected of technique {workload.technique}"
        return "trainable_parameters_m", problem
    if workload.technique == "qlora" and not _is_quantized(workload):
        problem = "int8 or nf4 is expected of technique qlora, or fewer bytes per weight"
        return "base_weights", problem
    if workload.distributed != "ddp" and workload.sharding != "none":
        problem = (
            f"ddp is expected: nothing else shares weights as {workload.sharding} does"
        )
        return "distributed", problem
    return None


def _is_quantized(workload: Workload) -> bool:
    if workload.base_weights == "stated":
        return workload.weight_bytes_per_parameter < _QUANTIZED_BELOW
    return workload.base_weights in {"int8", "nf4"}


def _of_tokens(workload: Workload) -> tuple[str, str] | None:
    if workload.padding_share >= 1.0:
        return "padding_share", "a share below 1 is expected"
    if workload.tokens_per_sample > 0.0:
        return None
    for key in ("padding_share", "packed"):
        if getattr(workload, key):
            return key, "only samples of tokens have it: set tokens_per_sample too"
    return None


def _of_image(workload: Workload) -> tuple[str, str] | None:
    if workload.image_archs:
        from advisor.hardware.capability import Architectures  # noqa: PLC0415

        try:
            Architectures.parse(workload.image_archs)
        except UsageError as error:
            return "image_archs", str(error)
    if workload.image_cuda and not _CUDA.fullmatch(workload.image_cuda):
        return "image_cuda", "a CUDA version such as '12.8' is expected"
    return None
