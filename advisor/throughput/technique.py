"""What a profile's way of computing changes beside its benchmark's: compiled or eager.

Published pairs of runs that differ in nothing else, ln of compiled over eager (the
benchmark table has the rows). Language models: torchao, a Llama of 1 B on an RTX 4070 Ti
Super, 9,000 and 6,200 tokens/s, 8,700 and 5,600 with INT8 weights; torchtune, Llama 3.2
3B on an A100, 9,174 and 7,075: 0.37, 0.44, 0.26. Others: torchao, ViT-giant, 27.1 and
25.2 images/s: 0.07; 277 pairs of convolutional nets in TensorFlow with XLA and without:
median 0.09, standard deviation 0.25; NVIDIA's ResNet-50 in Paddle, four pairs: 0.11.
"""

from __future__ import annotations

from typing import NamedTuple

from advisor.throughput.features import family_of_profile
from advisor.workloads.profile import Workload


class Effect(NamedTuple):
    """ln of the factor on the rate of a GPU, and the log-sd of it."""

    log_factor: float
    log_sd: float


_NONE = Effect(0.0, 0.0)

LANGUAGE_MODELS = ("llm", "llm-lora", "llm-qlora")
"""Families (`advisor.throughput.features.family_of_profile`) of the first pairs."""

COMPILED_LANGUAGE_MODEL = Effect(0.36, 0.15)
"""Mean of the three pairs; the spread is an assumption, they differ by 0.09."""

COMPILED = Effect(0.09, 0.2)
"""Of any other net: median of the pairs, and about their spread."""


def technique_effect(workload: Workload) -> Effect:
    """Return what a profile is faster by than the benchmark that sets its level.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from advisor.workloads.load import load_workload
    >>> llama = load_workload("llama-8b-lora")
    >>> technique_effect(llama).log_factor
    0.0
    >>> technique_effect(replace(llama, compiled=True)).log_factor
    0.36
    """
    more = int(workload.compiled) - int(workload.reference.compiled)
    if not more:
        return _NONE
    language = family_of_profile(workload) in LANGUAGE_MODELS
    effect = COMPILED_LANGUAGE_MODEL if language else COMPILED
    return Effect(more * effect.log_factor, effect.log_sd)
