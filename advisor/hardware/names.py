"""Names of GPUs and CPUs in one spelling each, so that equal things compare equal.

Nothing here guesses: two names get the same key only by a rule below, and a name
that says nothing of the model gets the empty key.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_GPU_BRANDS = ("nvidia", "amd", "intel", "geforce", "radeon", "tesla", "instinct")
_GPU_FILLERS = ("gpu", "graphics", "generation", "edition", "design", "with")
_GPU_NOISE = frozenset((*_GPU_BRANDS, *_GPU_FILLERS))
_GPU_WORDS = {
    "q": "quadro",
    "mobile": "laptop",
    "notebook": "laptop",
    "sxm2": "sxm",
    "sxm4": "sxm",
    "sxm5": "sxm",
    "sxm6": "sxm",
    "workstation": "ws",
}
_GPU_MARKS = str.maketrans("_-()/,®™", "        ")
_GPU_MEMORY = re.compile(r"(?<=\d)g(?:i?b)?\b|\s+gi?b\b")
_GPU_SUFFIX = re.compile(r"(\d{4})(ti|super|s|d|ada)", re.ASCII)
_GPU_SLICE = re.compile(r"(?:\bmig[ -]*)?\b(?:\d+c\.)?(\d+)g\.(\d+)gb\S*|\bmig\b")
# Between a brand and a number, and between a data center card and its board.
_GPU_GLUED = re.compile(
    r"(?<=\brtx)(?=a?\d|pro)|(?<=\bgtx)(?=\d)|(?<=\bpro)(?=\d{4})"
    r"|(?<=\bgeforce)(?=[rg]tx|\d)|(?<=\btesla)(?=[a-z]\d)|(?<=\bquadro)(?=[a-z]|\d)"
    r"|(?<=\btitan)(?=rtx|v\b|xp?\b)|(?<=\b[abhlpv]\d\d)(?=sxm|pcie|nvl)"
    r"|(?<=\b[abhlpv]\d\d\d)(?=sxm|pcie|nvl)|(?<=\d)(?=laptop|mobile|max-?q)"
)
_GPU_PROFESSIONAL = re.compile(r"a[2-6]\d00")  # RTX A6000; an A100 is none
_FIRST_RTX = 2000  # GeForce 20 and newer are RTX, but for the 16 series

_CPU_MARKS = re.compile(r"\([^)]*\)|[®™©]")  # also remarks: "(Skylake, IBRS)"
_CPU_VERSION = re.compile(r"(?<=[\dlw]) ?v ?(?=\d\b)")
_CPU_CORES = re.compile(r"\b(?:\d+|dual|quad|six|eight|twelve|sixteen)[- ]cores?\b")
_CPU_COUNT = re.compile(r"\b(\d{1,3})[- ]cores?\b")
_CPU_GENERATION = re.compile(r"\b\d+th gen\b")
_CPU_NOISE = frozenset(("amd", "intel", "cpu", "processor"))
# Three digits, a letter between them at most: 7702, 7V13, 72F3, 285K.
_CPU_DIGITS = re.compile(r"\d[a-z]?\d\d|\d\d[a-z]\d")
_CPU_NO_MODEL = re.compile(
    r"\b(?:qemu|kvm|virtual|common|eng|sample|unknown)\b|^(?:amd )?epyc-[a-z]"
)

_CPU_REMARKS = re.compile(r"[®™©]|\([^)]*\)|@.*| with radeon.*| w/.*", re.IGNORECASE)
_CPU_FILLERS = re.compile(
    r"\b(?:amd|intel|cpu|processor|\d+th gen|(?:\d+|dual|quad|six|eight|twelve|sixteen)"
    r"[- ]cores?|ryzen(?= threadripper)|core(?= (?:i[3579]|m[357]|ultra)\b))(?!\S)",
    re.IGNORECASE,
)


class MigProfile(NamedTuple):
    """A part of a GPU as NVIDIA's MIG names it, such as ``3g.40gb``.

    Attributes
    ----------
    slices : of the GPU's cores
    memory_gb : GB of its memory, rounded
    """

    slices: float
    memory_gb: float


class GpuKey(NamedTuple):
    """A GPU's name, normalized.

    Attributes
    ----------
    words : the words that tell models apart, sorted, joined by spaces
    memory_gb : memory that the name states, NaN where it states none
    """

    words: str
    memory_gb: float


def mig_profile(name: str) -> MigProfile | None:
    """Return the part of a GPU that a name states, None where it states none."""
    found = _GPU_SLICE.search(name.lower())
    if found is None or found[1] is None:
        return None
    return MigProfile(float(found[1]), float(found[2]))


def gpu_key(name: str) -> GpuKey:
    """Return the key of a GPU's name, whichever way a market or driver spells it.

    Case, order, brand and filler words do not matter; every other word does, so
    that "RTX 3060" is never "RTX 3060 Ti". ``2070S`` is ``2070 Super``, ``Q`` is
    ``Quadro``, ``Mobile`` is ``Laptop``, ``4090`` alone is ``RTX 4090``. The memory
    in a name is taken out: it tells rows of one model apart. So is the profile of a
    slice ("MIG 1g.10gb"), see `mig_profile`. What is written in one word is taken apart:
    ``rtx4090`` is ``RTX 4090``, ``h100sxm`` is ``H100 SXM``.
    """
    text = _GPU_SLICE.sub(" ", name.lower())
    text = text.replace("max-q", "maxq").translate(_GPU_MARKS)
    text = _GPU_GLUED.sub(" ", _GPU_GLUED.sub(" ", text))
    text = _GPU_MEMORY.sub("gb", text.replace("instinct", " "))
    found: list[str] = []
    memory = math.nan
    for word in text.split():
        if word.endswith("gb") and word[:-2].isdecimal():
            memory = float(word[:-2])
        elif word not in _GPU_NOISE:
            suffixed = _GPU_SUFFIX.fullmatch(word)
            found.extend(suffixed.groups() if suffixed else (word,))
    words = {_GPU_WORDS.get(word, word) for word in found}
    if "s" in words:  # "GTX 1660 S" is a Super, "RTX PRO 6000 S" a Server
        words.remove("s")
        words.add("server" if "pro" in words else "super")
    if "pro" in words:
        words.discard("blackwell")
    if found and found[0].isdecimal() and len(found[0]) == 4:
        words.add("rtx" if int(found[0]) >= _FIRST_RTX else "gtx")
    if found and _GPU_PROFESSIONAL.fullmatch(found[0]):
        words.add("rtx")
    return GpuKey(" ".join(sorted(words)), memory)


def cpu_key(name: str) -> str:
    """Return the key of a CPU's name, ``""`` where it does not say the model.

    Dropped: (R), (TM) and other brackets, the brand, "CPU", "Processor", "N-Core",
    the graphics of an APU, and everything after "@"; a hyphen is a blank, "Ryzen
    Threadripper" is "Threadripper". Names of virtual machines ("EPYC-Rome
    Processor"), of families alone ("AMD EPYC", "Xeon(R)") and of engineering
    samples get the empty key. Suffix letters of the model stay.
    """
    text = _plain(_CPU_MARKS.sub(" ", name.lower().partition("@")[0]))
    if _CPU_NO_MODEL.search(text):
        return ""
    key = _cpu_words(text)
    return key if _CPU_DIGITS.search(key) else ""


def cpu_words(name: str) -> str:
    """Return the words of a CPU's name as `cpu_key` spells them, whatever they say."""
    return _cpu_words(_plain(_CPU_MARKS.sub(" ", name.lower().partition("@")[0])))


def short_cpu_name(name: str) -> str:
    """Return a CPU's name without what every such name has, for people.

    Dropped: trade marks and other brackets, the makers AMD and Intel, "CPU",
    "Processor", "N-Core", "Nth Gen", "Core" before a series of its own ("i7", "Ultra"),
    "Ryzen" before "Threadripper", graphics, and the clock after "@". A name that is
    nothing else stays as it is.

    Examples
    --------
    >>> short_cpu_name("AMD EPYC 9554 64-Core Processor")
    'EPYC 9554'
    >>> short_cpu_name("12th Gen Core™ i7-12700KF")
    'i7-12700KF'
    >>> short_cpu_name("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz")
    'Xeon E5-2680 v4'
    """
    kept = _plain(_CPU_FILLERS.sub(" ", _plain(_CPU_REMARKS.sub(" ", name))))
    return kept or _plain(name)


def stated_cores(name: str) -> float:
    """Return the cores that a CPU's name states ("64-Core Processor"), else NaN."""
    found = _CPU_COUNT.search(name.lower())
    return float(found[1]) if found else math.nan


def _cpu_words(text: str) -> str:
    text = text.partition(" with radeon")[0].partition(" w/")[0]
    text = _CPU_GENERATION.sub(" ", _CPU_CORES.sub(" ", text))
    text = _CPU_VERSION.sub(" v", text.replace("-", " "))
    text = text.replace("ryzen threadripper", "threadripper")
    return " ".join(word for word in text.split() if word not in _CPU_NOISE)


def _plain(text: str) -> str:
    return " ".join(text.split())
