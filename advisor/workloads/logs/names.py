"""What a progress bar counts by its name: training, something else, or nothing."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["training", "other", "unknown", "unnamed"]

_METRIC = re.compile(
    r"(?:\b(?:val|valid|validation|test|eval|train|training)[ _-])?"
    r"\b\w*(?:loss|acc|accuracy|lr|mAP|iou|dice|f1|score|ppl|error)\w*\b"
    r"\s*[:=]?\s*[-+\d.e]*",
    re.IGNORECASE,
)
"""A metric that a loop writes into the name of its bar, such as ``val loss 0.3``."""

_OTHER = re.compile(
    r"\b(?:val|valid|validat\w*|eval\w*|test|tests|testing|tested|sanity|predict\w*|"
    r"infer\w*|sampl\w*|generat\w*|preview\w*|render\w*|denois\w*|visuali[sz]\w*|"
    r"map|mapping|filter\w*|flatten\w*|dataset\w*|split|tokeni[sz]\w*|encod\w*|"
    r"decod\w*|download\w*|fetch\w*|upload\w*|push\w*|load|loading|loaded|"
    r"checkpoints?|shards?|sav\w*|writ\w*|read\w*|convert\w*|extract\w*|unpack\w*|"
    r"unzip\w*|untar\w*|cach\w*|scan\w*|preprocess\w*|pre-processing|process\w*|"
    r"prepar\w*|packing|merg\w*|index\w*|comput\w*|build\w*|creat\w*|copy\w*|"
    r"verify\w*|check\w*|calibrat\w*|quanti[sz]\w*|export\w*|latents?|embedd\w*|"
    r"group\w*|truncat\w*|format\w*|apply\w*|adding|resiz\w*|import\w*|files?|"
    r"search\w*|statistics|autobatch|plot\w*|class)\b",
    re.IGNORECASE,
)
"""Bars of evaluation, of preview pictures, and of data, weights and files."""

_DOES_ELSE = re.compile(
    r"\b(?!train|pre-?train|fine-?tun|tun|fit|learn|run|start|remain)\w+ing\b",
    re.IGNORECASE,
)
"""Whatever else a bar says that it does, such as collecting."""

_TRAINING = re.compile(
    r"\b(?:train|training|trainer|epochs?|steps?|iters?|iterations?|fit|fitting|"
    r"fine-?tun\w*|pre-?train\w*|batch|batches|optimi[sz]\w*|updates?)\b",
    re.IGNORECASE,
)

STEP_UNITS = frozenset({"it", "batch", "batches", "step", "steps", "iter", "iters"})
SAMPLE_UNITS = frozenset(
    {
        *("img", "imgs", "image", "images", "sample", "samples", "ex", "example"),
        *("examples", "seq", "seqs", "sequences", "pic"),
    }
)

_LOSS = re.compile(
    r"(?<!val )(?<!valid )(?<!validation )(?<!eval )(?<!test )(?<!Val )(?<!Test )"
    r"\b(?:\w*train\w*[ _])?(?:\w+_)?loss\b['\"]?\s*(?:\([^)]*\))?\s*[:=]?\s*['\"]?"
    r"[-+]?\d",
    re.IGNORECASE,
)
_NOT_TRAINED = re.compile(
    r"\b(?:eval|val|valid|test|validation)[_/]\w*loss", re.IGNORECASE
)


def kind_of(name: str) -> Kind:
    """Return what a bar of this name counts."""
    if _OTHER.match(name.strip(" ([:-")):
        return "other"
    bare = re.sub(r"[_/]", " ", _METRIC.sub(" ", name))
    if not re.search(r"[^\W\d_]{2}", bare):
        return "unnamed"
    if _OTHER.search(bare) or _DOES_ELSE.search(bare):
        return "other"
    return "training" if _TRAINING.search(bare) else "unknown"


def counts_epochs(name: str) -> bool:
    """Say whether a bar of this name may count epochs, not steps."""
    return (
        re.fullmatch(r"\W*(?:training |train )?epochs?\W*", name, re.IGNORECASE)
        is not None
    )


def tells_loss(text: str) -> bool:
    """Say whether a text has the loss of a training, not of an evaluation."""
    return "oss" in text and bool(_LOSS.search(_NOT_TRAINED.sub(" ", text)))
