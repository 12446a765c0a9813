"""What a figure that is called FP32 ran in: plain FP32, TF32, or nobody knows.

TF32 multiplies on tensor cores with 10 bits of mantissa; its peak is up to eight times
that of FP32, so a row under the wrong name teaches the wrong physics. What is known:

- Cards without TF32 (before Ampere, and other makers') run plain FP32.
- PyTorch 1.7 to 1.11 used TF32 for matrix products and convolutions; from 1.12 on matrix
  products are plain FP32 (``torch.backends.cuda.matmul.allow_tf32 = False``) and
  convolutions and recurrent nets still TF32 (``torch.backends.cudnn.allow_tf32 = True``).
  Before 1.7 no release knew TF32. Source: PyTorch, "CUDA semantics: TensorFloat-32", and
  the release notes of 1.7 and 1.12.
- TensorFlow uses TF32 from 2.4 on (release notes of 2.4; ``tf.config.experimental.
  enable_tensor_float_32_execution`` is on), no release before.
- NVIDIA's containers switch it on since 20.06, whatever the version.
- A script may set it. Where the source says so, that holds (`benchmark_names.TF32_ON`,
  and notes such as "TF32 off"); a source that publishes both of one net on one card means
  what it writes.

Rates above the FP32 peak prove nothing: Winograd's convolutions multiply less than they
count (VGG-16 on a V100, which has no TF32, at 140 % of its peak).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmark_labels import framework_of

FP32, TF32, UNKNOWN = "fp32", "tf32", "unknown"

FIRST_TF32 = {"pytorch": (1, 7), "tensorflow": (2, 4)}
FIRST_PLAIN_PRODUCTS = (1, 12)

YEARS_ON = {"pytorch": (2021, 2021), "tensorflow": (2021, 9999)}
"""Years of which every usual version has TF32 on for all: PyTorch 1.7 came in October
2020 and 1.12 in June 2022."""

FIRST_AMPERE = (8, 0)
FIRST_ADA = (8, 9)
"""Compute capability of the first cards that no PyTorch before 1.13 has kernels for."""

CONVOLUTIONS = ("cnn", "segmentation", "detection", "gan", "rnn")
"""Families whose time goes to cuDNN: convolutions and recurrent layers."""

PRODUCTS = ("transformer", "llm", "llm-lora", "llm-qlora", "recsys")
"""Families whose time goes to matrix products."""

LINEAR_CONVNETS = re.compile(r"convnext|mixer|mlp")
"""Nets of `CONVOLUTIONS` with matrix products for a good part."""

ON = re.compile(r"TF32 as (?:torch|TF) default|TF32 by default")
OFF = re.compile(r"TF32 off|tf32 off|without TF32")
PLAIN_SCRIPT = re.compile(r"script ver1;")
"""GPU-Insights switches TF32 on in the second version of its script alone."""

DOUBTFUL = re.compile(r"TF32[^;]*not (?:stated|told)")


_BY_SCRIPT = {"on": TF32, "off": FP32, "doubtful": UNKNOWN}


class Ran(NamedTuple):
    """What is known of a figure whose precision is called FP32 or TF32.

    Attributes
    ----------
    stated : precision as the source writes it
    capability : compute capability of the card; None where it is not NVIDIA's
    script : ``"on"``, ``"off"``, ``"doubtful"`` (the source leaves it open) or empty, as
        the source or its script tells
    framework, version, year : empty and None where unknown
    family, workload : what was trained
    """

    stated: str
    capability: tuple[int, int] | None
    script: str
    framework: str
    version: tuple[int, int] | None
    year: float | None
    family: str
    workload: str


def single_precision(ran: Ran) -> str:
    """Return `FP32`, `TF32` or `UNKNOWN`; empty where no single precision is stated."""
    if ran.stated not in {FP32, TF32}:
        return ""
    if ran.capability is None or ran.capability < FIRST_AMPERE:
        return FP32
    if ran.stated == TF32:
        return TF32
    return _BY_SCRIPT.get(ran.script) or _by_defaults(ran)


def _by_defaults(ran: Ran) -> str:
    """Return what the framework's defaults give most of the net's time."""
    products, convolutions = _defaults(ran)
    linear = LINEAR_CONVNETS.search(ran.workload)
    if products == convolutions or ran.family in PRODUCTS:
        return products
    return convolutions if ran.family in CONVOLUTIONS and not linear else UNKNOWN


def _defaults(ran: Ran) -> tuple[str, str]:
    """Return what a framework's defaults give matrix products and convolutions."""
    first = FIRST_TF32.get(ran.framework)
    if first is None:
        return UNKNOWN, UNKNOWN
    if ran.version is not None:
        if ran.version < first:
            return FP32, FP32
        plain = ran.framework == "pytorch" and ran.version >= FIRST_PLAIN_PRODUCTS
        return (FP32 if plain else TF32), TF32
    if ran.framework == "pytorch" and (ran.capability or (0, 0)) >= FIRST_ADA:
        return FP32, TF32
    earliest, latest = YEARS_ON[ran.framework]
    if ran.year is None or not ran.year >= earliest:
        return UNKNOWN, UNKNOWN
    return (TF32 if ran.year <= latest else UNKNOWN), TF32


def ran_of(figure: Mapping[str, Any], capability: float | None, on: bool) -> Ran:
    """Return what is known of a figure.

    Parameters
    ----------
    figure : with the columns of a file of figures, `family`, `workload` and `stated`
    capability : compute capability of its card, None where it is not NVIDIA's
    on : whether its source's script switches TF32 on
    """
    framework, version = framework_of(figure)
    known = None if capability is None else round(10 * capability)
    return Ran(
        stated=str(figure["stated"]),
        capability=None if known is None else divmod(known, 10),
        script=script_of(str(figure["notes"]), on),
        framework=framework,
        version=version,
        year=figure["year"],
        family=figure["family"],
        workload=figure["workload"],
    )


def script_of(notes: str, on_by_source: bool) -> str:
    """Return whether a script has TF32 on, by the notes and by what is known of it."""
    if OFF.search(notes):
        return "off"
    if ON.search(notes) or (on_by_source and not PLAIN_SCRIPT.search(notes)):
        return "on"
    return "doubtful" if DOUBTFUL.search(notes) else ""
