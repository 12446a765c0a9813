"""Which image a machine runs, and why it runs none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.job import Job
from advisor.hardware.gpus import load_gpus
from advisor.market.filters import Filters
from advisor.market.offers import parse_offers
from advisor.market.snapshot import load_snapshot
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.software.fit import DOUBTS, REASONS, SoftwareFit, software_fit
from advisor.software.image import Declared, Image
from advisor.software.rules import DEFAULT_IMAGES, default_images, known_images
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import load_workload

NEWEST, OLD_CARDS, CUDA_12_8 = DEFAULT_IMAGES
CUDA_IMAGE = "nvidia/cuda:12.8.1-base-ubuntu24.04"
CUDA_12_4 = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"


def fit_of(
    record: dict[str, Any], images: Sequence[Image] | None = None, **changes: Any
) -> SoftwareFit:
    """Judge one offer, with other figures."""
    offers, _ = parse_offers([record | changes])
    gpu = load_gpus().resolve(offers.gpu_name[0], float(offers.gpu_ram_mb[0]))
    return software_fit(offers, [gpu], images or default_images())


def reason_of(fit: SoftwareFit) -> str:
    found = [name for name, holds in fit.reasons.items() if holds[0]]
    assert len(found) == (fit.image[0] == "")
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("card", "capability", "driver", "cuda", "expected"),
    [
        ("RTX 5090", 1200, "580.95.05", 13.0, NEWEST),
        ("RTX 5090", 1200, "570.124.06", 12.8, CUDA_12_8),
        ("RTX 4090", 890, "580.95.05", 13.0, NEWEST),
        ("RTX 4090", 890, "535.183.01", 12.2, OLD_CARDS),
        ("V100", 700, "580.95.05", 13.0, OLD_CARDS),
        ("GTX 1080 Ti", 610, "550.54.14", 12.4, OLD_CARDS),
        ("B200", 1000, "570.124.06", 12.8, CUDA_12_8),
    ],
)
def test_the_image_is_chosen_by_card_and_driver(
    record: dict[str, Any],
    card: str,
    capability: int,
    driver: str,
    cuda: float,
    expected: str,
) -> None:
    """The newest that runs there."""
    facts = {"compute_cap": capability, "driver_version": driver, "cuda_max_good": cuda}
    fit = fit_of(record, gpu_name=card, **facts)
    assert fit.image[0] == expected
    assert reason_of(fit) == ""
    assert not any(flag[0] for flag in fit.flags.values())


@pytest.mark.parametrize(
    ("image", "changes", "reason"),
    [
        (CUDA_12_4, {"gpu_name": "RTX 5090", "compute_cap": 1200}, "image_lacks_gpu"),
        (CUDA_12_4, {"gpu_name": "RTX 5090", "compute_cap": None}, "image_lacks_gpu"),
        (CUDA_12_4, {"gpu_name": "RTX 9999", "compute_cap": 1200}, "image_lacks_gpu"),
        (CUDA_12_4, {"driver_version": "515.65.01"}, "driver_too_old"),
        (CUDA_12_4, {"driver_version": None, "cuda_max_good": 11.7}, "driver_too_old"),
        (CUDA_12_4, {"cpu_arch": "arm64"}, "cpu_arch"),
        (CUDA_12_4, {"cpu_arch": "aarch64"}, "cpu_arch"),
        (CUDA_12_4, {"gpu_name": "GH200", "cpu_arch": None}, "cpu_arch"),
        (CUDA_12_4, {"gpu_arch": "amd", "gpu_name": "RX 7900 XTX"}, "gpu_vendor"),
        (CUDA_12_4, {"gpu_name": "MI300X", "compute_cap": None}, "gpu_vendor"),
        ("rocm/pytorch:latest", {}, "gpu_vendor"),
        (CUDA_IMAGE, {"cuda_max_good": 12.4}, "driver_too_old"),
        (CUDA_IMAGE, {}, ""),
        ("pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime", {}, "driver_too_old"),
        ("nvcr.io/nvidia/pytorch:25.06-py3", {"cpu_arch": "arm64"}, ""),
        ("pytorch/pytorch:2.99.0-cuda13.0-cudnn9-runtime",
         {"gpu_name": "V100", "compute_cap": 700, "driver_version": "580.95.05",
          "cuda_max_good": 13.0}, "image_lacks_gpu"),
        (CUDA_12_4, {}, ""),
    ],
)  # fmt: skip
def test_what_cannot_run_an_image_says_why(
    record: dict[str, Any], image: str, changes: dict[str, Any], reason: str
) -> None:
    """By the market's facts, or by the tables where it tells none."""
    facts = {"driver_version": "570.124.06", "cuda_max_good": 12.8, "cpu_arch": "amd64"}
    fit = fit_of(record, known_images(image), **(facts | changes))
    assert reason_of(fit) == reason


HOPPER = {"gpu_name": "H100 SXM", "compute_cap": 900}
GEFORCE = {"gpu_name": "RTX 4090", "compute_cap": 890}
BLACKWELL = {"gpu_name": "RTX 5090", "compute_cap": 1200}
VOLTA = {"gpu_name": "V100", "compute_cap": 700}
NGC_CUDA_13 = "nvcr.io/nvidia/pytorch:25.09-py3"


def driver(version: str | None, cuda: float | None = None) -> dict[str, Any]:
    return {"driver_version": version, "cuda_max_good": cuda}


@pytest.mark.parametrize(
    ("image", "changes", "reason"),
    [
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", GEFORCE | driver("535.183.01"), ""),
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", GEFORCE | driver(None, 12.2), ""),
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", GEFORCE | driver("525.85.12", 12.0), ""),
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", GEFORCE | driver("545.23.06", 12.3),
         "driver_too_old"),
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", GEFORCE | driver("470.82.01", 11.4),
         "driver_too_old"),
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel", GEFORCE | driver(None, 12.2), ""),
        ("nvidia/cuda:12.6.3-devel-ubuntu22.04", GEFORCE | driver(None, 12.2),
         "driver_too_old"),
        ("nvidia/cuda:12.6.3-devel-ubuntu22.04", HOPPER | driver(None, 12.2), ""),
        ("nvidia/cuda:12.6.3-devel-ubuntu22.04", HOPPER | driver(None, 12.3),
         "driver_too_old"),
        (NGC_CUDA_13, GEFORCE | driver("570.124.06", 12.8), "driver_too_old"),
    ],
)  # fmt: skip
def test_images_let_in_the_drivers_that_they_name(
    record: dict[str, Any], image: str, changes: dict[str, Any], reason: str
) -> None:
    """By branch and brand; where the offer shows no driver, by the branch of its CUDA."""
    fit = fit_of(record, known_images(image), cpu_arch="amd64", **changes)
    assert reason_of(fit) == reason
    assert fit.risk[0] == 0.0


@pytest.mark.parametrize(
    ("images", "changes", "doubts"),
    [
        # Data-center cards run a newer CUDA by the image's compatibility libraries.
        (known_images(NGC_CUDA_13), HOPPER | driver("550.54.14", 12.4),
         ["forward_compat"]),
        (known_images(NGC_CUDA_13),
         {"gpu_name": "RTX A4000", "compute_cap": 860} | driver(None, 12.4),
         ["forward_compat_doubtful"]),
        (known_images("nvidia/cuda:12.4.1-devel-ubi9"),
         {"gpu_name": "A100 SXM4", "compute_cap": 800} | driver("470.82.01", 11.4),
         ["forward_compat"]),
        (known_images("vastai/pytorch:2.9.1-cu130-cuda-13.0.1-py311"),
         HOPPER | driver("550.54.14", 12.4), ["forward_compat"]),
        # PTX is compiled on the card.
        (known_images("me/x:1", Declared("12.8", "8.0;9.0+PTX")),
         BLACKWELL | driver("570.124.06", 12.8), ["ptx_only"]),
        (known_images("pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime"),
         HOPPER | driver(None, 12.8), ["ptx_only", "gpu_code_doubtful"]),
        # The CUDA in it compiles nothing for the card by itself.
        (known_images("me/x:1", Declared("11.7")), HOPPER | driver(None, 12.8),
         ["gpu_code_doubtful"]),
        (known_images("pytorch/pytorch:1.6.0-cuda10.1-cudnn7-runtime"),
         GEFORCE | driver(None, 12.8), ["gpu_code_doubtful"]),
        (known_images("nvidia/cuda:13.0.1-base-ubi9"), VOLTA | driver(None, 13.0),
         ["gpu_code_doubtful"]),
        (known_images("me/x:1", Declared("11.7")), GEFORCE | driver(None, 12.8), []),
        (known_images("nvidia/cuda:13.9.0-devel-ubi9"), GEFORCE | driver(None, 13.2),
         ["demand_unknown"]),
    ],
)  # fmt: skip
def test_what_may_run_is_flagged_with_a_risk(
    record: dict[str, Any],
    images: Sequence[Image],
    changes: dict[str, Any],
    doubts: list[str],
) -> None:
    """It stays, and its risk is that of its doubts."""
    fit = fit_of(record, images, cpu_arch="amd64", **changes)
    assert reason_of(fit) == ""
    assert [name for name in DOUBTS if fit.flags[name][0]] == doubts
    works = math.prod(1.0 - DOUBTS[name] for name in doubts)
    assert fit.risk[0] == pytest.approx(1.0 - works)


@pytest.mark.parametrize(
    ("declared", "changes", "reason"),
    [
        # The driver has to be as new as the compiler that made the PTX.
        (Declared("12.8", "9.0+PTX"), BLACKWELL | driver(None, 12.7), "driver_too_old"),
        (Declared("12.8", "9.0;12.0"), BLACKWELL | driver(None, 12.7), ""),
        (Declared("12.8", "9.0;12.0a"), BLACKWELL | driver(None, 12.8), ""),
        (Declared("12.8", "12.0a+PTX"),
         {"gpu_name": "unlisted", "compute_cap": 1210} | driver(None, 12.9),
         "image_lacks_gpu"),
        # No compiler of CUDA 13 makes code for a card of that age.
        (Declared("13.0"), VOLTA | driver(None, 13.0), "image_lacks_gpu"),
    ],
)  # fmt: skip
def test_what_is_declared_decides(
    record: dict[str, Any], declared: Declared, changes: dict[str, Any], reason: str
) -> None:
    """As of an image that a rule knows."""
    fit = fit_of(record, known_images("me/x:1", declared), **changes)
    assert reason_of(fit) == reason


def test_an_image_that_surely_runs_goes_before_one_that_may(
    record: dict[str, Any],
) -> None:
    """Of several, whatever their order."""
    may = known_images("me/ptx:1", Declared("12.8", "9.0+PTX"))
    surely = known_images("me/code:1", Declared("12.8", "12.0"))
    facts = BLACKWELL | driver(None, 13.0)
    fit = fit_of(record, may + surely, **facts)
    assert fit.image[0] == "me/code:1"
    assert fit.risk[0] == 0.0
    assert fit_of(record, may, **facts).image[0] == "me/ptx:1"


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("GH200", "cpu_arch"),
        ("GH200 SXM", "cpu_arch"),
        ("NVIDIA GB300", "cpu_arch"),
        ("GB10", "cpu_arch"),
        ("B300", ""),
        ("RTX 4090", ""),
    ],
)
def test_superchips_have_arm_cpus(record: dict[str, Any], name: str, arch: str) -> None:
    """Also those that are in no table; what the offer says of its CPU goes before."""
    images = known_images("pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime")
    facts = {"gpu_name": name, "compute_cap": None, **driver(None, 13.0)}
    assert reason_of(fit_of(record, images, cpu_arch=None, **facts)) == arch
    assert reason_of(fit_of(record, images, cpu_arch="amd64", **facts)) == ""


def test_code_that_is_known_for_another_cpu_is_no_clean_fit(
    record: dict[str, Any],
) -> None:
    """Of that image's arm64 build nothing is published."""
    facts = {"gpu_name": "GH200", "compute_cap": 900, **driver(None, 12.8)}
    old = known_images("vastai/pytorch:2.5.1-cuda-12.4.1-py311")
    for cpu in ("arm64", None):
        fit = fit_of(record, old, cpu_arch=cpu, **facts)
        assert fit.flags["image_unknown"][0]
    assert not fit_of(record, old, cpu_arch="amd64", **facts).flags["image_unknown"][0]
    new = known_images("vastai/pytorch:2.9.1-cu128-cuda-12.8.1-py311")
    assert not fit_of(record, new, cpu_arch="arm64", **facts).flags["image_unknown"][0]


def test_offers_that_differ_in_nothing_known_are_one_kind(plain_record: Any) -> None:
    """A thousand without driver and CUDA are judged as one of them is."""
    rows = [
        {**plain_record, "id": number, **driver(None), "gpu_name": "RTX 4090"}
        for number in range(1, 1001)
    ]
    offers, _ = parse_offers(rows)
    gpus = [load_gpus().resolve("RTX 4090")] * len(offers)
    fit = software_fit(offers, gpus, known_images(CUDA_IMAGE))
    assert set(fit.image) == {CUDA_IMAGE}
    assert fit.flags["driver_unknown"].all()


def test_of_several_images_the_one_that_came_furthest_says_why(
    record: dict[str, Any],
) -> None:
    """A card of today on a driver of yesterday wants a driver, not another card."""
    fit = fit_of(record, driver_version="515.65.01", cuda_max_good=11.7)
    assert reason_of(fit) == "driver_too_old"


def test_what_is_unknown_is_flagged_and_stays(record: dict[str, Any]) -> None:
    """Nothing is guessed of an image, a driver or a card that nobody knows."""
    fit = fit_of(record, driver_version=None, cuda_max_good=None)
    assert fit.image[0] == NEWEST
    assert fit.flags["driver_unknown"][0]
    fit = fit_of(record, gpu_name="RTX 9999", compute_cap=None, cuda_max_good=13.0)
    assert fit.flags["capability_unknown"][0]
    fit = fit_of(record, known_images("me/training:3"), cuda_max_good=13.0)
    assert fit.image[0] == "me/training:3"
    assert fit.flags["image_unknown"][0]
    declared = known_images("me/training:3", Declared("12.8", "8.6;8.9"))
    assert not fit_of(record, declared, cuda_max_good=13.0).flags["image_unknown"][0]


def test_where_offer_and_table_differ_both_count(record: dict[str, Any]) -> None:
    """A card that one of them takes for a Blackwell is none for an image without it."""
    images = known_images(CUDA_12_4)
    for name, capability in (("RTX 5090", 890), ("RTX 4090", 1200)):
        fit = fit_of(
            record, images, gpu_name=name, compute_cap=capability, cuda_max_good=12.8
        )
        assert reason_of(fit) == "image_lacks_gpu"


VERSIONS = ("515.65.01", "525.60.13", "535.183.01", "570.124.06", "580.95.05")
CAPABILITIES = (610, 700, 750, 860, 890, 900, 1000, 1200)


@given(
    st.tuples(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS)),
    st.sampled_from(CAPABILITIES),
    st.sampled_from([None, CUDA_12_4, CUDA_IMAGE]),
)
def test_a_newer_driver_never_rules_a_machine_out(
    plain_record: Any, drivers: tuple[str, str], capability: int, image: str | None
) -> None:
    """What runs with the older driver runs with the newer one."""
    facts = {"compute_cap": capability, "cuda_max_good": None, "gpu_name": "unlisted"}
    images = known_images(image) if image else None
    older, newer = (
        fit_of(dict(plain_record), images, driver_version=driver, **facts)
        for driver in sorted(drivers)
    )
    assert older.image[0] == "" or newer.image[0] != ""


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def ranked(path: Path, workload: str, tables: Tables, **job: Any) -> Ranking:
    profile = load_workload(workload)
    whole = Job(profile, profile.epochs, profile.disk_gb, **job)
    return rank(load_snapshot(path).records, whole, tables, Filters())


def ids(ranking: Ranking) -> list[int]:
    return [int(ranking.offers.offer_id[at]) for at in ranking.order]


def test_hosts_that_cannot_run_it_are_left_out(cases: Path, tables: Tables) -> None:
    """Case driver_too_old: CUDA 11.7, arm64 and AMD leave, each under its reason."""
    ranking = ranked(
        cases / "offers" / "driver_too_old.json",
        "resnet50",
        tables,
        images=known_images(CUDA_12_4),
    )
    assert ids(ranking) == [70000002]
    expected = {"cpu_arch": 1, "driver_too_old": 1, "gpu_vendor": 1}
    assert dict(ranking.excluded) == expected
    assert set(expected) < set(REASONS)


def test_host_memory_for_the_weights(cases: Path, tables: Tables) -> None:
    """Case host_ram_small: 16 GB never come first for 141 GB of weights."""
    ranking = ranked(cases / "offers" / "host_ram_small.json", "llama-70b-lora", tables)
    assert ids(ranking) == [70000002]
    assert ranking.excluded["host_ram_too_small"] == 1
    need = ranking.host_need_gb[int(ranking.order[0])]
    assert 141.0 < need < 160.0
