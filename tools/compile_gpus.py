"""The GPU table and the measured matrix-product rates beside it.

``gpus.csv`` of the sources has one line per GPU: its names, what its data sheet says,
and two words that no data base has. Of several lines that a market spells alike, the
first is meant where the memory is not told either. `TENSOR_CORES` and `INTERCONNECTS`
explain the words; matrix rates that no line states follow from them.
"""

from __future__ import annotations

import math

import pandas as pd

from advisor.base.errors import UsageError
from sources import Texts, csv_text, json_text, leave_out, read, refuse

SOURCE = "gpus.csv"
FOLDER = "advisor/hardware/data"

TENSOR_CORES = (
    "half",  # rate when they accumulate in FP32: GeForce (GA102, AD102 and GB202
    # whitepapers, tables of peak rates; Turing whitepaper, appendix A)
    "full",  # rate: every other NVIDIA card with tensor cores
    "none",  # that training can use
    "matrix",  # units of AMD
)
# A bridge that can be bought is not assumed: published 4 x and 8 x RTX 3090 keep a third
# and a sixth of their speed on BERT, as cards without do.
INTERCONNECTS = (
    "sxm",  # NVLink or the like on the board
    "nvlink",  # sold with a bridge
    "pcie-p2p",  # peer to peer through PCIe
    "pcie",  # through the host's memory
)

COLUMNS = """
    name vendor family die aliases architecture compute_capability year sm_count boost_mhz
    memory_gb memory_bandwidth_gb_s fp32_tflops tf32_tflops fp16_tflops bf16_tflops tdp_w
    pcie_gen pcie_lanes interconnect source
""".split()  # noqa: SIM905  (a line each otherwise)
MATMUL_RATES = tuple(f"{kind}_matmul_tflops" for kind in ("fp32", "tf32", "fp16", "bf16"))
STATED = ("sm_count", "boost_mhz", "memory_gb", "fp32_tflops")
TEXTS = ("family", "die", "aliases", "architecture", "remark")

# FLOP per clock and multiprocessor of the tensor cores at full rate, dense, FP16
# inputs with FP32 accumulation, by CUDA compute capability (NVIDIA's architecture
# whitepapers, V100 to RTX Blackwell). Data-center Blackwell: by data sheet only.
TENSOR_FLOP_PER_CLOCK = {
    7.0: 1024,
    7.5: 1024,
    8.0: 2048,
    8.6: 1024,
    8.9: 1024,
    9.0: 4096,
    12.0: 1024,
}
FIRST_BF16 = 8.0  # compute capability of the first tensor cores with BF16 and TF32
FASTER = 1.25  # FP16 over BF16, which run alike from then on: more than measuring is off

# FP16 rate over FP32 of a card without tensor cores, where it helps training:
# GP100 alone (Pascal whitepaper).
PLAIN_FP16_FACTOR = {"GP100": 2.0}

# FLOP per clock and compute unit of WMMA, FP16 or BF16 with FP32 accumulation
# (AMD RDNA 3 and 4 instruction set references).
WMMA_FLOP_PER_CLOCK = {"RDNA 3.0": 512, "RDNA 4.0": 1024}


def read_gpus() -> pd.DataFrame:
    """Return the sources' GPUs; a line that cannot be right is an error.

    Raises
    ------
    UsageError
        with the file, the line and what is allowed
    """
    needed = {*COLUMNS, "tensor_cores", "remark"} - {"tf32_tflops"}
    text = dict.fromkeys(("name", "vendor", "source", *TEXTS), str)
    gpus = read(SOURCE, sorted(needed), dtype=text)
    gpus[list(TEXTS)] = gpus[list(TEXTS)].fillna("")
    for column in sorted(needed - {*text, "tensor_cores", "interconnect"}):
        number = pd.to_numeric(gpus[column], errors="coerce")
        wrong = number.isna() & gpus[column].notna() | number.lt(0)
        refuse(SOURCE, gpus, wrong, f"{column} is {{{column}}}: a number, please")
        gpus[column] = number
    for column, words in (
        ("tensor_cores", TENSOR_CORES), ("interconnect", INTERCONNECTS)
    ):  # fmt: skip
        wrong = ~gpus[column].isin(words)
        says = f"{{name}} has {column} {{{column}}}: one of {', '.join(words)}, please"
        refuse(SOURCE, gpus, wrong, says)
    twice = gpus["name"].duplicated()
    refuse(SOURCE, gpus, twice, "{name} stands there already; a name stands once")
    for column in ("name", "vendor", "source", *STATED):
        refuse(SOURCE, gpus, gpus[column].isna(), f"{{name}} has no {column}")
    return gpus


def matrix_rates(gpu: pd.Series) -> tuple[dict[str, float], str]:
    """Return the usable matrix rates of one GPU and how the derived ones came about.

    Raises
    ------
    UsageError
        if its rate neither stands in its line nor follows from it
    """
    fp16, bf16 = gpu["fp16_tflops"], gpu["bf16_tflops"]
    multiprocessor_hz = gpu["sm_count"] * gpu["boost_mhz"] * 1e6
    unknown = {"bf16_tflops": math.nan, "tf32_tflops": math.nan}
    if gpu["tensor_cores"] == "none":
        factor = PLAIN_FP16_FACTOR.get(gpu["die"], 1.0)
        rates = unknown | {"fp16_tflops": round(gpu["fp32_tflops"] * factor, 3)}
        return rates, f"no usable tensor cores: fp16 = {factor:g} x fp32"
    if gpu["tensor_cores"] == "matrix":
        told = ""
        if math.isnan(fp16):
            per_clock = _per_clock(gpu, WMMA_FLOP_PER_CLOCK.get(gpu["architecture"]))
            fp16 = bf16 = round(multiprocessor_hz * per_clock / 1e12, 2)
            told = f"fp16, bf16 = CUs x {per_clock} FLOP x clock"
        return unknown | {"fp16_tflops": fp16, "bf16_tflops": bf16}, told
    derived = []
    if math.isnan(fp16):
        capability = round(gpu["compute_capability"], 1)
        full = _per_clock(gpu, TENSOR_FLOP_PER_CLOCK.get(capability))
        per_clock = full // 2 if gpu["tensor_cores"] == "half" else full
        fp16 = round(multiprocessor_hz * per_clock / 1e12, 2)
        derived.append(f"fp16 = SMs x {per_clock} FLOP x clock, FP32 accumulation")
    rates = unknown | {"fp16_tflops": fp16}
    if gpu["compute_capability"] >= FIRST_BF16:
        rates |= {"bf16_tflops": fp16, "tf32_tflops": fp16 / 2}
        derived.append("bf16 = fp16, tf32 = fp16 / 2 (whitepapers)")
    return rates, "; ".join(derived)


def _per_clock(gpu: pd.Series, known: int | None) -> int:
    if known is None:
        message = (
            f"models/sources/{SOURCE}: {gpu['name']} needs fp16_tflops: no rate per "
            "clock is known of its architecture"
        )
        raise UsageError(message)
    return known


def gpu_table(gpus: pd.DataFrame) -> pd.DataFrame:
    """Return the package's table: rates filled in, sources put together."""
    rows = []
    for _, gpu in gpus.iterrows():
        rates, derived = matrix_rates(gpu)
        parts = (gpu["source"], derived, gpu["remark"])
        source = "; ".join(part for part in parts if part)
        family = gpu["family"] or gpu["name"]
        rows.append(gpu.to_dict() | rates | {"family": family, "source": source})
    return pd.DataFrame(rows)[COLUMNS]


def matmul_rows(
    gpus: pd.DataFrame, raw: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the measured rates of large matrix products that say something of a card.

    FP16 is the rate of tensor cores that accumulate in FP32, as PyTorch multiplies; where
    a card has none, its rates in TF32 and BF16 are emulated and say nothing.
    """
    nvidia = gpus[gpus["vendor"].eq("NVIDIA")].set_index("name")
    others = gpus.loc[gpus["vendor"].ne("NVIDIA"), "name"]
    capability = raw["gpu_name"].map(nvidia["compute_capability"])
    nominal = raw["gpu_name"].map(gpu_table(gpus).set_index("name")["fp16_tflops"])
    fp16 = raw["fp16_matmul_tflops"]
    in_fp16 = fp16.gt(FASTER * nominal) & fp16.gt(FASTER * raw["bf16_matmul_tflops"])
    in_fp16 &= capability.ge(FIRST_BF16)
    rows, counts = leave_out(
        raw,
        [
            ("another maker's card", raw["gpu_name"].isin(others)),
            ("card or form factor that the table of GPUs lacks", capability.isna()),
            ("overclocked", raw["note"].str.contains("overclocked", na=False)),
            (
                "the best of many shapes: above what one shape gives",
                raw["kind"].eq("best over shapes"),
            ),
            ("no FP16 rate", fp16.isna()),
            ("FP16 far above BF16 and the data sheet: accumulated in FP16", in_fp16),
            (
                "FP16 at a fifth of FP32 or less: no kernel for the card (GTX 16)",
                fp16.lt(0.2 * raw["fp32_matmul_tflops"]),
            ),
        ],
    )
    old = capability.loc[rows.index].lt(FIRST_BF16)
    emulated = ["tf32_matmul_tflops", "bf16_matmul_tflops"]
    rows[emulated] = rows[emulated].mask(old)
    return rows, counts


def matmul_table(
    gpus: pd.DataFrame, raw: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the medians of the measured rates per GPU, and what was left out."""
    rows, counts = matmul_rows(gpus, raw)
    measured = rows.groupby("gpu_name")
    table = measured[list(MATMUL_RATES)].median().round(2)
    table["measurements"] = measured.size()
    table["source"] = measured["source"].agg(lambda s: "; ".join(sorted(set(s))))
    counts["rates read"], counts["rates used"] = len(raw), len(rows)
    return table.reset_index(names="gpu"), counts


def build() -> Texts:
    """Return both tables, and which measured rates were left out."""
    gpus = read_gpus()
    needed = ("gpu_name", *MATMUL_RATES, "kind", "note", "source")
    matmul, counts = matmul_table(gpus, read("gpu_matmul.csv", needed))
    return {
        f"{FOLDER}/gpus.csv": csv_text(gpu_table(gpus)),
        f"{FOLDER}/matmul.csv": csv_text(matmul),
        "models/matmul.exclusions.json": json_text(counts),
    }
