"""GPUs: what each model can do, and which model a market's name means."""

from __future__ import annotations

import difflib
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from advisor.base.columns import read_csv, read_records, typed
from advisor.base.errors import UsageError
from advisor.base.units import MIB_PER_GIB
from advisor.hardware.boards import with_shares
from advisor.hardware.names import GpuKey, gpu_key

_TABLE = Path(__file__).parent / "data" / "gpus.csv"
MATMUL = Path(__file__).parent / "data" / "matmul.csv"
"""Table of published rates of matrix products."""

_MEASURED = ("matmul_share", "fp32_share")  # fields that a table of their own fills


# Sold memory sizes of one model differ by a fifth or more (10 and 12 GB), while
# the market's figure for one of them strays by up to 7 %.
_SAME_MEMORY = 0.15


_BRIDGED = frozenset({
    "RTX 2070 Super", "RTX 2080", "RTX 2080 Super", "RTX 2080 Ti", "Titan RTX",
    "RTX 3090", "RTX 3090 Ti", "Quadro GP100", "Quadro GV100", "Quadro RTX 5000",
    "Quadro RTX 6000", "Quadro RTX 8000", "RTX A4500", "RTX A5000", "RTX A5500",
    "RTX A6000", "A30", "A40", "A100-PCIe-40GB", "A100-PCIe-80GB", "H100-PCIe-80GB",
})  # fmt: skip
"""PCIe cards that an NVLink bridge joins in pairs, and that are sold without one (NVIDIA,
data sheets of the cards)."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU model: nominal figures, NaN where unknown or without the feature.

    Tensor rates are usable ones: dense, with FP32 accumulation.

    Attributes
    ----------
    name : canonical name, as in the benchmark table
    vendor : ``"NVIDIA"``, ``"AMD"``, ``"Intel"``
    family : what people call it, form factors and memory sizes together
    die : chip, such as ``"AD102"``
    aliases : spellings of markets
    architecture : such as ``"Ada Lovelace"``
    compute_capability : CUDA's, such as 8.9
    year : of the launch
    sm_count : streaming multiprocessors, of AMD compute units
    boost_mhz : boost clock, MHz
    memory_gb : GB as sold (2^30 bytes)
    memory_bandwidth_gb_s : 10^9 bytes/s
    fp32_tflops : vector rate, 10^12 FLOP/s
    tf32_tflops, bf16_tflops : tensor rates, NaN before Ampere
    fp16_tflops : tensor rate; without tensor cores the rate of plain FP16 where
        it helps training (GP100), else that of FP32
    tdp_w : board power of one GPU, W
    pcie_gen, pcie_lanes : host interface
    interconnect : ``"sxm"`` (NVLink or the like on the board), ``"nvlink"``
        (bridge), ``"pcie-p2p"`` (peer to peer), ``"pcie"`` (through the host)
    source : where the figures come from and which are derived
    matmul_share : measured rate of large FP16 and BF16 products over `fp16_tflops`
        (``data/matmul.csv``); where nobody published one, what boards of its kind
        sustain (`advisor.hardware.boards`)
    fp32_share : the same of plain FP32, without TF32, over `fp32_tflops`
    """

    name: str
    vendor: str
    family: str
    die: str
    aliases: tuple[str, ...]
    architecture: str
    compute_capability: float
    year: float
    sm_count: float
    boost_mhz: float
    memory_gb: float
    memory_bandwidth_gb_s: float
    fp32_tflops: float
    tf32_tflops: float
    fp16_tflops: float
    bf16_tflops: float
    tdp_w: float
    pcie_gen: float
    pcie_lanes: float
    interconnect: str
    source: str
    matmul_share: float = math.nan
    fp32_share: float = math.nan

    def has_nvlink(self, num_gpus: int) -> bool:
        """Say whether so many of these cards can be joined by NVLink."""
        if self.interconnect in {"sxm", "nvlink"}:
            return num_gpus > 1
        return num_gpus == 2 and self.name in _BRIDGED


class GpuTable(Mapping[str, Gpu]):
    """The known GPUs by canonical name.

    Parameters
    ----------
    rows : the GPUs; of several that a market spells alike, the first is meant
        where nothing tells them apart

    Attributes
    ----------
    rows : tuple of `Gpu`
    """

    def __init__(self, rows: Iterable[Gpu]) -> None:
        self.rows = tuple(rows)
        self._by_name = {gpu.name: gpu for gpu in self.rows}
        self._row = {gpu.name: row for row, gpu in enumerate(self.rows)}

    @cached_property
    def _by_spelling(self) -> Mapping[str, Sequence[Gpu]]:
        """Rows by their names and aliases as they stand: most need no more."""
        index: dict[str, list[Gpu]] = {}
        for gpu in self.rows:
            for name in dict.fromkeys((gpu.name, *gpu.aliases)):
                index.setdefault(name, []).append(gpu)
        return index

    @cached_property
    def _by_words(self) -> Mapping[str, Sequence[Gpu]]:
        """Rows by the words of their names and aliases, in the table's order."""
        index: dict[str, list[Gpu]] = {}
        for gpu in self.rows:
            keys = (gpu_key(name).words for name in (gpu.name, *gpu.aliases))
            for words in dict.fromkeys(keys):
                index.setdefault(words, []).append(gpu)
        return index

    @cached_property
    def _by_family(self) -> Mapping[str, Sequence[Gpu]]:
        """Rows by the words of their families."""
        index: dict[str, list[Gpu]] = {}
        for gpu in self.rows:
            index.setdefault(gpu_key(gpu.family).words, []).append(gpu)
        return index

    def __getitem__(self, name: str) -> Gpu:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def row_of(self, gpu: Gpu | None) -> int:
        """Return the place of a GPU in `rows`, one beyond the last for None."""
        return len(self.rows) if gpu is None else self._row[gpu.name]

    def resolve(self, name: str, memory_mb: float = math.nan) -> Gpu | None:
        """Return the GPU that a market's name means, None where it is not known.

        The memory only tells rows of one name apart (A100 40 and 80 GB). A card
        with twice the memory of one that was sold is taken for that one, modified;
        any other strange size for the nearest.

        Parameters
        ----------
        name : any spelling, see `advisor.hardware.names.gpu_key`
        memory_mb : MiB per GPU as the market says, NaN where it does not; used
            where the name states no memory itself
        """
        memory = memory_mb / MIB_PER_GIB
        candidates = self._by_spelling.get(name)
        if candidates is None:
            key = gpu_key(name)
            candidates = self._by_words.get(key.words, ())
            memory = memory if math.isnan(key.memory_gb) else key.memory_gb
        if len(candidates) < 2 or math.isnan(memory) or memory <= 0:
            return candidates[0] if candidates else None
        return min(candidates, key=lambda gpu: _memory_distance(gpu, memory))

    def find(self, query: str) -> Gpu:
        """Return the one GPU that a user means.

        Raises
        ------
        UsageError
            if no GPU is called so, or several are
        """
        if (gpu := self.resolve(query)) is not None:
            return gpu
        rows = self._meant(gpu_key(query))
        if not rows:
            raise UsageError(self._unknown(query, ()))
        if len(rows) > 1:
            names = ", ".join(gpu.name for gpu in rows)
            raise UsageError(f"several GPUs are called {query!r}: {names}")
        return rows[0]

    def meant(self, query: str) -> tuple[str, ...]:
        """Return what `find` takes of all GPUs that a user means.

        They may be apart by commas, and each a family ("A100": all form factors and
        memory sizes); the names are those of the rows, or as written where it is one.

        Raises
        ------
        UsageError
            if no GPU is called so
        """
        names: list[str] = []
        for one in filter(None, map(str.strip, query.split(","))):
            rows = [] if self.resolve(one) else self._meant(gpu_key(one))
            names += [gpu.name for gpu in rows] if len(rows) > 1 else [one]
        for name in names:
            self.find(name)
        return tuple(dict.fromkeys(names)) or (self.find(query).name,)

    def select(self, queries: Sequence[str], names: Iterable[str]) -> frozenset[str]:
        """Return those of a market's `names` that a user's `queries` mean.

        A query is a GPU in any spelling ("rtx_4090"), a family ("A100": all form
        factors and memory sizes) or one of the market's own names. Names do not
        tell memory sizes, so "A100-SXM4-80GB" selects every "A100 SXM4".

        Raises
        ------
        UsageError
            if a query means no known GPU and none of `names`
        """
        listed = {name: gpu_key(name) for name in names}
        selected: set[str] = set()
        for query in queries:
            wanted = gpu_key(query)
            rows = self._meant(wanted)
            matches = {
                name
                for name, key in listed.items()
                if key.words == wanted.words
                or any(gpu in rows for gpu in self._by_words.get(key.words, ()))
            }
            if not rows and not (matches and wanted.words):
                raise UsageError(self._unknown(query, listed))
            selected |= matches
        return frozenset(selected)

    def nearest(self, name: str, listed: Collection[str]) -> tuple[str, ...]:
        """Return what a market's exact name may have been meant to be, sorted.

        Those of the GPU or family that it names, of the offers or else of markets; or
        the nearest spelling, if any is near.

        Parameters
        ----------
        name : which no offer has
        listed : names that offers have
        """
        usual = self.market_names()
        for names in (listed, usual):
            try:
                if meant := self.select([name], names):
                    return tuple(sorted(meant))
            except UsageError:
                continue
        by_lower = {one.lower(): one for one in (*usual, *sorted(listed))}
        close = difflib.get_close_matches(name.lower(), by_lower, n=1)
        return tuple(by_lower[one] for one in close)

    def market_names(self) -> tuple[str, ...]:
        """Return the spellings of markets, those of all rows, sorted."""
        spellings = {alias for gpu in self.rows for alias in gpu.aliases or (gpu.name,)}
        return tuple(sorted(spellings))

    def _meant(self, wanted: GpuKey) -> list[Gpu]:
        """Return the rows that a user's words name, themselves or as a family."""
        words = wanted.words
        rows = [*self._by_words.get(words, ()), *self._by_family.get(words, ())]
        if math.isnan(wanted.memory_gb):
            return rows
        sized = [
            gpu for gpu in rows if _memory_distance(gpu, wanted.memory_gb) < _SAME_MEMORY
        ]
        return sized or rows

    def _unknown(self, query: str, names: Iterable[str]) -> str:
        known = {gpu.family for gpu in self.rows} | set(self._by_name) | set(names)
        by_lower = {name.lower(): name for name in sorted(known)}
        wanted = query.lower().replace("_", " ")
        close = difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.5)
        hint = ", ".join(by_lower[name] for name in close)
        advice = f"did you mean {hint}?" if hint else "`advisor gpus` lists those known"
        return f"no GPU is called {query!r}; {advice}"


def _memory_distance(gpu: Gpu, memory_gb: float) -> float:
    """Return how badly a GPU fits a memory size; twice the size fits rather well."""
    off = abs(math.log(memory_gb / gpu.memory_gb))
    doubled = abs(math.log(memory_gb / (2.0 * gpu.memory_gb)))
    return min(off, doubled + _SAME_MEMORY)


@cache
def matmul_measurements() -> Mapping[str, int]:
    """Return how many measurements each published matrix rate is the median of."""
    return {gpu: int(count) for gpu, count in read_csv(MATMUL, ("gpu", "measurements"))}


def matmul_rates(*precisions: str) -> Mapping[str, float]:
    """Return the published rates of large matrix products by GPU, 10^12 FLOP/s.

    Of several precisions that a card runs alike the geometric mean of those published.
    """
    rows = read_csv(MATMUL, ("gpu", *(f"{one}_matmul_tflops" for one in precisions)))
    published = {gpu: [float(one) for one in rates if one] for gpu, *rates in rows}
    return {gpu: statistics.geometric_mean(of) for gpu, of in published.items() if of}


@cache
def load_gpus() -> GpuTable:
    """Load the GPU table that ships with the package, once per process."""
    gpus = [Gpu(**typed(Gpu, row, *_MEASURED)) for row in read_records(_TABLE)]
    return GpuTable(with_shares(gpus, matmul_rates("fp16", "bf16"), matmul_rates("fp32")))
