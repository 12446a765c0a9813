"""Gradients of the workloads of the benchmark table: how many, and per what sample.

The table has the parameters of most nets that are published with them; here are those
of nets that were measured on several GPUs without. Where a throughput counts parts of
a sample (tokens, frames), the step's length in time needs their number too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from advisor.base.arrays import FloatArray
from advisor.training.fit.constants import INPUT_PIPELINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.training.fit.benchmarks import Benchmarks

_TIMM = "timm, table of results"
_DLE = "NVIDIA DeepLearningExamples"


class Gradients(NamedTuple):
    """What one workload exchanges.

    Attributes
    ----------
    parameters_m : 10^6 parameters that get a gradient
    units_per_sample : what the table's throughput counts, in one sample of the batch
    source : where both come from
    """

    parameters_m: float
    units_per_sample: float
    source: str


GRADIENTS: Mapping[str, Gradients] = {
    "gnmt": Gradients(
        160.0,
        50.0,
        f"{_DLE}, GNMT v2: derived from 4 + 4 LSTM layers of 1,024 and 32,320 shared "
        "tokens; assumed: 25 tokens each of source and target (at most 50)",
    ),
    "transformer-xl-base": Gradients(
        192.0, 192.0, f"{_DLE}, Transformer-XL base; target length of the rows"
    ),
    "transformer-xl-large": Gradients(
        257.0, 384.0, f"{_DLE}, Transformer-XL large; target length of the rows"
    ),
    "tacotron2": Gradients(
        28.2,
        568.0,
        "LJSpeech: 24 h in 13,100 clips at 22,050 Hz, one frame for 256 samples",
    ),
    "waveglow": Gradients(87.9, 8000.0, f"{_DLE}, WaveGlow: segment length of training"),
    "ssd300-resnet50": Gradients(
        22.9,
        1.0,
        f"{_DLE}, SSD300: derived from ResNet-50 to its third stage (8.5), five extra "
        "blocks (3.8) and the heads of 81 classes (10.6)",
    ),
    "ncf": Gradients(
        31.8,
        1.0,
        f"{_DLE}, NCF: derived from 138,493 users and 26,744 items of MovieLens 20M "
        "with 64 + 128 factors each",
    ),
    "alexnet": Gradients(61.0, 1.0, "Krizhevsky et al. 2012: 60 million, with biases 61"),
    "inception4": Gradients(42.7, 1.0, f"{_TIMM}: inception_v4"),
    "resnext101-32x4d": Gradients(44.2, 1.0, f"{_TIMM}: resnext101_32x4d"),
    "se-resnext101-32x4d": Gradients(49.0, 1.0, f"{_TIMM}: seresnext101_32x4d"),
    "efficientnet-b4": Gradients(19.3, 1.0, f"{_TIMM}: efficientnet_b4"),
    "efficientdet": Gradients(3.9, 1.0, "Tan et al. 2020, EfficientDet-D0"),
    "jasper": Gradients(333.0, 1.0, "Li et al. 2019, Jasper 10x5"),
    "quartznet": Gradients(18.9, 1.0, "Kriman et al. 2019, QuartzNet 15x5"),
    "yolov3": Gradients(61.9, 1.0, "ultralytics/yolov3, table of models"),
    "yolov3-voc": Gradients(61.9, 1.0, "as yolov3, whose heads are a little larger"),
    "bert-base": Gradients(110.0, 1.0, "Devlin et al. 2018"),
    "bert-pretrain-128": Gradients(335.0, 1.0, f"{_DLE}, BERT: pretraining is large"),
    "bert-pretrain-512": Gradients(335.0, 1.0, f"{_DLE}, BERT: pretraining is large"),
    "bert-finetune-": Gradients(335.0, 1.0, f"{_DLE}, BERT: SQuAD, large"),
    "resnet18-cifar": Gradients(11.2, 1.0, "ResNet-18 (11.69) with a head of 10 classes"),
}
"""Workload of the table -> its gradients."""

ADAPTERS = r"\b(?:q?lora|lokr)\b"
"""In the name of a workload that trains adapters beside a frozen net."""


def parameters_m(table: Benchmarks) -> FloatArray:
    """Return the (N,) 10^6 parameters that get a gradient, NaN where nobody states them.

    The table has those of the whole net: not those of its adapters, where only these are
    trained.
    """
    derived = {name: of.parameters_m for name, of in GRADIENTS.items()}
    adapters = pd.Series(table.workload).str.contains(ADAPTERS).to_numpy(dtype=bool)
    return _derived_or(table, derived, np.where(adapters, np.nan, table.params_m))


def gradient_bytes(table: Benchmarks) -> FloatArray:
    """Return the (N,) bytes that the gradient of one parameter has on the wire.

    tf_cnn_benchmarks, which the rows of TensorFlow in half precision ran, casts gradients
    to half for the exchange (its ``compact_gradient_transfer``, on by default); PyTorch's
    exchange has the precision of the weights.
    """
    halved = (table.framework == "tensorflow") & (table.precision == "fp16")
    return np.where(halved, 2.0, float(INPUT_PIPELINE["gradient_bytes"]["value"]))


def units_per_sample(table: Benchmarks) -> FloatArray:
    """Return the (N,) units in one sample of each row's batch, NaN where unknown."""
    derived = {name: of.units_per_sample for name, of in GRADIENTS.items()}
    return _derived_or(table, derived, np.where(table.unit == "samples/s", 1.0, np.nan))


def _derived_or(
    table: Benchmarks, derived: Mapping[str, float], other: FloatArray
) -> FloatArray:
    """Return what is derived for the workload of each row, else what `other` says."""
    found = pd.Series(table.workload).map(derived).to_numpy(dtype=np.float64)
    return np.where(np.isnan(found), other, found)
