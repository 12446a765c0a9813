"""What `gpu_bench` measures, in the order of its worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.measure.probe.gpu.components import TINY, Sizes
from advisor.measure.probe.gpu.recipe import Feed, Recipe
from advisor.measure.probe.gpu.within import fed_apart, parts_apart, training_apart
from gpu_parts.apart import cores_apart, inference_apart

STARTS_S = 8.0
SEARCHES_S = 6.0
COMPILES_S, CPU_COMPILES_S = 45.0, 120.0
READS_S = 5.0
CORES_READ_S = 12.0
"""Seconds: a process starts, finds the largest batch, compiles for a GPU or for a CPU (by
a compiler of C++, file by file), takes its readings."""


@dataclass(frozen=True, slots=True)
class Case:
    """One process.

    Attributes
    ----------
    name : for people
    cores : that it may use; None: all
    function, arguments : that it runs, without the seconds of its readings
    fixed_s, reads_s : seconds that it takes besides, and for its readings
    setting : how it was measured, for the file
    """

    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    fixed_s: float
    reads_s: float = READS_S
    cores: int | None = None
    setting: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """All that it takes."""
        return self.fixed_s + self.reads_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes
    ----------
    device : as PyTorch names it
    is_tiny : a rehearsal: nets and arrays so small that a CPU does
    cores : that there are
    files : paths of the pictures
    """

    device: str
    is_tiny: bool
    cores: int
    files: tuple[str, ...]

    def cases(self) -> Iterator[Case]:
        """Yield all of them, the most telling first."""
        sizes = TINY if self.is_tiny else Sizes()
        reads_s = 1.0 if self.is_tiny else 20.0
        where = ((self.device,), sizes)
        yield Case("parts", parts_apart, where, STARTS_S, reads_s)
        for profile in ("resnet50", "resnet18"):
            for cores in self.core_counts():
                yield self._fed(self._recipe(profile, "amp"), cores)
        for profile, precision in _NETS:
            yield self._synthetic(self._recipe(profile, precision))
        for cores in self.core_counts():
            reads_s = 5.0 if self.is_tiny else CORES_READ_S
            name, setting = f"decoding by {cores} cores", {"cores": cores}
            yield Case(name, cores_apart, (self.files,), 3.0, reads_s, cores, setting)
        for profile, precision in _NETS[:3]:
            yield self._synthetic(self._recipe(profile, precision, compiled=True))
        yield Case(
            "inference",
            inference_apart,
            (self.device, self.is_tiny),
            STARTS_S,
            1.0 if self.is_tiny else 8.0,
        )
        for precision in ("tf32", "fp32"):
            yield self._synthetic(self._recipe("resnet50", precision))
        for profile in ("resnet50", "resnet18"):
            yield self._synthetic(self._recipe(profile, "amp", channels_last=False))
        yield self._fed(self._recipe("resnet50", "amp", compiled=True), self.cores)
        yield self._synthetic(self._recipe("vit-b16", "amp", compiled=True))

    def core_counts(self) -> Sequence[int]:
        """All cores, and 16, 8, 4, 2, 1 of them, as far as there are so many."""
        return sorted({self.cores, *(n for n in (1, 2, 4, 8, 16) if n <= self.cores)})[
            ::-1
        ]

    def _recipe(
        self,
        profile: str,
        precision: str,
        *,
        compiled: bool = False,
        channels_last: bool = True,
    ) -> Recipe:
        if self.device == "cpu" and precision == "amp":
            precision = "bf16"  # FP16 takes minutes there
        return Recipe(profile, precision, compiled, channels_last, self.is_tiny)

    def _synthetic(self, recipe: Recipe) -> Case:
        return Case(
            _words(recipe),
            training_apart,
            (self.device, recipe, 1 if self.is_tiny else self.cores),
            STARTS_S + SEARCHES_S + self._compiles_s(recipe),
            self._reads_s,
            None,
            recipe._asdict(),
        )

    def _fed(self, recipe: Recipe, cores: int) -> Case:
        feed = Feed(self.files, cores, batch=4 if self.is_tiny else 128)
        setting = {**recipe._asdict(), "cores": cores, "library": feed.library}
        return Case(
            f"{_words(recipe)}, fed by {cores} cores",
            fed_apart,
            (self.device, recipe, feed),
            STARTS_S + self._compiles_s(recipe),
            self._reads_s,
            cores,
            setting,
        )

    def _compiles_s(self, recipe: Recipe) -> float:
        if not recipe.compiled:
            return 0.0
        return CPU_COMPILES_S if self.device == "cpu" else COMPILES_S

    @property
    def _reads_s(self) -> float:
        return 0.5 if self.is_tiny else READS_S


_NETS = (
    ("resnet50", "amp"),
    ("gpt2-124m", "bf16"),
    ("resnet18", "amp"),
    ("vit-b16", "amp"),
)


def _words(recipe: Recipe) -> str:
    how = ["compiled" if recipe.compiled else "eager", recipe.precision]
    if recipe.profile.startswith("resnet") and not recipe.channels_last:
        how.append("channels first")
    return f"{recipe.profile}, {', '.join(how)}"
