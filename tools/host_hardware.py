"""Which CPUs and boards GPU hosts are built from, for the sample market.

The choice of models is ours: those in the published offers and their common
relatives. Facts of most CPUs come from the raw CPU table; those it lacks stand
here by hand, from the vendors' specification pages. Sockets, PCIe generation,
lanes and year belong to the platform and are the vendors' as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class CpuGroup(NamedTuple):
    """CPUs that share a socket and a PCIe generation.

    Attributes
    ----------
    platform : server, workstation or desktop
    socket : name of the socket
    max_sockets : CPUs a board can hold
    pcie_gen, pcie_lanes : of one CPU
    year : of the platform's launch
    keys : CPU names, lower-case without the brand
    """

    platform: str
    socket: str
    max_sockets: int
    pcie_gen: int
    pcie_lanes: int
    year: int
    keys: tuple[str, ...]


_CPU_LINES = """\
server SP3 2 3 128 2017 epyc:
    7551 7601
server SP3 2 4 128 2019 epyc:
    7302 7302p 7352 7402 7402p 7452 7502 7502p 7532 7542 7642 7662 7702 7702p
    7742 7h12
server SP3 2 4 128 2021 epyc:
    7313 7343 7413 7443 7443p 7513 7543 7543p 7663 7713 7713p 7763 75f3
server SP5 2 5 128 2022 epyc:
    9124 9224 9254 9334 9354 9354p 9454 9554 9654 9355 9555 9575f 9655
server LGA2011-3 2 3 40 2014 xeon:
    e5-2640_v3 e5-2670_v3 e5-2678_v3 e5-2680_v3 e5-2690_v3 e5-2696_v3 e5-2697_v3
    e5-2699_v3
server LGA2011-3 2 3 40 2016 xeon:
    e5-2620_v4 e5-2630_v4 e5-2650_v4 e5-2667_v4 e5-2680_v4 e5-2683_v4 e5-2690_v4
    e5-2695_v4 e5-2698_v4 e5-2699_v4
server LGA3647 2 3 48 2018 xeon:
    gold_6130 gold_6138 gold_6148 gold_6226r gold_6230 gold_6248 gold_6248r
    silver_4110 silver_4210 silver_4214 silver_4216 platinum_8160 platinum_8168
    platinum_8180 platinum_8268
server LGA4189 2 4 64 2021 xeon:
    silver_4310 silver_4314 gold_6326 gold_6330 gold_6338 gold_6342 gold_6348
    platinum_8358 platinum_8368 platinum_8380
server LGA4677 2 5 80 2023 xeon:
    gold_6430 gold_6448y gold_6530 platinum_8462y+ platinum_8468 platinum_8480+
    platinum_8558 platinum_8568y+ platinum_8570
workstation sTR4 1 3 64 2017 threadripper:
    1920x 1950x 2920x 2950x 2990wx
workstation sTRX4 1 4 64 2019 threadripper:
    3960x 3970x 3990x
workstation sWRX8 1 4 128 2020 threadripper_pro:
    3955wx 3975wx 3995wx 5955wx 5965wx 5975wx 5995wx
workstation sTR5 1 5 128 2023 threadripper_pro:
    7965wx 7975wx 7985wx 7995wx
workstation LGA2066 1 3 48 2017 core:
    i9-7900x i9-10900x i9-10940x i9-10980xe
workstation LGA3647-W 1 3 64 2019 xeon:
    w-3225
desktop AM4 1 3 20 2018 ryzen:
    5_1600 5_2600 5_5500 7_1700 7_2700x
desktop AM4 1 4 20 2020 ryzen:
    5_3600 5_5600 5_5600x 7_3700x 7_5700x 7_5800x 9_3900x 9_3950x 9_5900x
    9_5950x
desktop AM5 1 5 24 2022 ryzen:
    5_7600 5_7600x 7_7700 7_7700x 7_7800x3d 9_7900 9_7900x 9_7950x 9_7950x3d
desktop AM5 1 5 24 2024 ryzen:
    7_9700x 7_9800x3d 9_9900x 9_9950x
desktop LGA1151 1 3 16 2017 core:
    i5-6500 i7-6700 i7-6700k i7-7700 i7-7700k i5-9400f i7-8700 i7-8700k i7-9700k
    i9-9900k
desktop LGA1151 1 3 16 2017 -:
    celeron_g3930 celeron_g4900 pentium_g4560
desktop LGA1200 1 3 16 2020 core:
    i3-10100 i3-10100f i5-10400 i5-10400f i7-10700 i7-10700k i9-10900k
desktop LGA1200 1 4 20 2021 core:
    i7-11700k i9-11900k
desktop LGA1700 1 5 20 2022 core:
    i5-12400 i5-12400f i5-13400f i5-13600k i5-14600k i7-12700 i7-12700k
    i7-12700kf i7-13700k i7-14700k i7-14700kf i9-12900k i9-13900k i9-13900kf
    i9-14900k i9-14900kf
desktop LGA1851 1 5 24 2024 core:
    ultra_7_265k ultra_7_265kf ultra_9_285k
"""
# platform socket max_sockets pcie_gen pcie_lanes year brand: models, "_" for a blank


def _groups(text: str) -> Iterator[CpuGroup]:
    """Yield the groups of `_CPU_LINES`."""
    for part in re.split(r"\n(?=\S)", text.strip()):
        head, _, models = part.partition(":")
        platform, socket, *numbers, brand = head.split()
        keys = [f"{brand} {model}".removeprefix("- ") for model in models.split()]
        yield CpuGroup(
            platform,
            socket,
            *map(int, numbers),
            keys=tuple(key.replace("_", " ") for key in keys),
        )


CPU_GROUPS = tuple(_groups(_CPU_LINES))

CPUS_BY_HAND: dict[str, tuple[int, int, float, float]] = {
    # cores, threads, base GHz, boost GHz: Intel ARK
    "xeon e5-2620 v4": (8, 16, 2.1, 3.0),
    "xeon e5-2630 v4": (10, 20, 2.2, 3.1),
    "xeon e5-2640 v3": (8, 16, 2.6, 3.4),
    "xeon e5-2650 v4": (12, 24, 2.2, 2.9),
    "xeon e5-2667 v4": (8, 16, 3.2, 3.6),
    "xeon e5-2670 v3": (12, 24, 2.3, 3.1),
    "xeon e5-2678 v3": (12, 24, 2.5, 3.3),
    "xeon e5-2680 v3": (12, 24, 2.5, 3.3),
    "xeon e5-2680 v4": (14, 28, 2.4, 3.3),
    "xeon e5-2683 v4": (16, 32, 2.1, 3.0),
    "xeon e5-2690 v3": (12, 24, 2.6, 3.5),
    "xeon e5-2690 v4": (14, 28, 2.6, 3.5),
    "xeon e5-2695 v4": (18, 36, 2.1, 3.3),
    "xeon e5-2696 v3": (18, 36, 2.3, 3.8),
    "xeon e5-2697 v3": (14, 28, 2.6, 3.6),
    "xeon e5-2698 v4": (20, 40, 2.2, 3.6),
    "xeon e5-2699 v3": (18, 36, 2.3, 3.6),
    "xeon e5-2699 v4": (22, 44, 2.2, 3.6),
    "xeon w-3225": (8, 16, 3.7, 4.3),
    "celeron g3930": (2, 2, 2.9, 2.9),
    "celeron g4900": (2, 2, 3.1, 3.1),
    "pentium g4560": (2, 4, 3.5, 3.5),
    # AMD product pages
    "epyc 7452": (32, 64, 2.35, 3.35),
    "epyc 7642": (48, 96, 2.3, 3.3),
    "epyc 7702": (64, 128, 2.0, 3.35),
    "epyc 7702p": (64, 128, 2.0, 3.35),
    "epyc 7763": (64, 128, 2.45, 3.5),
    "epyc 7513": (32, 64, 2.6, 3.65),
    "epyc 7713": (64, 128, 2.0, 3.675),
    "epyc 7713p": (64, 128, 2.0, 3.675),
    "epyc 9355": (32, 64, 3.55, 4.4),
    "epyc 9555": (64, 128, 3.2, 4.4),
    "epyc 9575f": (64, 128, 3.3, 5.0),
    "epyc 9655": (96, 192, 2.6, 4.5),
    "threadripper pro 7965wx": (24, 48, 4.2, 5.3),
    "threadripper pro 7975wx": (32, 64, 4.0, 5.3),
    "threadripper pro 7985wx": (64, 128, 3.2, 5.1),
    "threadripper pro 7995wx": (96, 192, 2.5, 5.1),
    "ryzen 7 9700x": (8, 16, 3.8, 5.5),
    "ryzen 7 9800x3d": (8, 16, 4.7, 5.2),
    "ryzen 9 9900x": (12, 24, 4.4, 5.6),
    "ryzen 9 9950x": (16, 32, 4.3, 5.7),
}

DISK_CAPACITY_GB = {
    "CT4000P3PSSD8": 4000,
    "Corsair MP600 CORE XT": 2000,
    "Corsair MP600 PRO LPX": 4000,
    "INTEL SSDPE2KX020T8": 2000,
    "INTEL SSDPE2KX080T8": 8000,
    "INTEL SSDPF2KX076TZ": 7680,
    "KCD6XLUL15T3": 15360,
    "KINGSTON SFYRD4000G": 4000,
    "KINGSTON SNV2S2000G": 2000,
    "Lexar SSD NM710 2TB": 2000,
    "SAMSUNG MZQLB3T8HALS-00007": 3840,
    "SAMSUNG MZWLJ7T6HALA-00007": 7680,
    "SAMSUNG MZWLO3T8HCLS-00A07": 3840,
    "SAMSUNG MZWMO15THCLF-00AW7": 15360,
    "SPCC M.2 PCIe SSD": 2000,
    "Samsung SSD 980 PRO 2TB": 2000,
    "Samsung SSD 990 PRO 2TB": 2000,
    "Samsung SSD 990 PRO 4TB": 4000,
    "TEAM TM8FFD004T": 4000,
    "WD_BLACK SN850X 4000GB": 4000,
}
"""GB of one disk; the models without a size in their name by the size sold most."""

_SEEN = "seen in published offers"
_MADE = "board makers' product pages, written down by hand"

BOARDS: list[dict[str, str | int]] = [
    {
        "socket": socket,
        "sockets": sockets,
        "mobo_name": name,
        "sxm_only": int(name in {"H12DGO-6", "PowerEdge XE9680"}),
        "source": source,
    }
    for socket, sockets, source, names in (
        ("SP3", 1, _SEEN, "H12SSL-i|H12SSL-NT|ROMED8-2T|H12SSL"),
        ("SP3", 2, _SEEN, "ROME2D32GM-2T|KMPG-D32 Series|H12DSG-O-|H12DGO-6"),
        ("SP5", 1, _MADE, "H13SSL-N|GENOAD8X-2T/BCM"),
        ("SP5", 2, _MADE, "K14PG-D24 Series|H13DSG-O-CPU"),
        ("LGA2011-3", 1, _MADE, "X10SRi-F|X99-E WS"),
        ("LGA2011-3", 2, _SEEN, "X10DRi|Z10PA-D8 Series"),
        ("LGA3647", 1, _MADE, "X11SPI-TF|X11SPA-TF"),
        ("LGA3647", 2, _MADE, "X11DPG-OT-CPU|PowerEdge C4140"),
        ("LGA4189", 1, _MADE, "X12SPI-TF"),
        ("LGA4189", 2, _MADE, "X12DPG-OA6|PowerEdge R750xa"),
        ("LGA4677", 1, _MADE, "X13SEI-TF"),
        ("LGA4677", 2, _MADE, "PowerEdge XE9680|X13DEG-OAD"),
        ("sTR4", 1, _MADE, "X399 Taichi|ROG ZENITH EXTREME"),
        ("sTRX4", 1, _MADE, "TRX40 Creator|Prime TRX40-PRO"),
        ("sWRX8", 1, _SEEN, "M12SWA-TF"),
        ("sTR5", 1, _MADE, "Pro WS WRX90E-SAGE SE|WRX90 WS EVO"),
        ("LGA2066", 1, _SEEN, "TUF X299 MARK 2"),
        ("LGA3647-W", 1, _SEEN, "Pro WS C621"),
        ("AM4", 1, _MADE, "B550M DS3H|X570 AORUS ELITE|MAG B550 TOMAHAWK"),
        ("AM5", 1, _SEEN, "MAG X670E TOMAHAWK WIFI "),
        ("AM5", 1, _MADE, "B650 GAMING X AX|ROG STRIX X670E-E GAMING WIFI"),
        ("LGA1151", 1, _MADE, "H110 Pro BTC+|B250 MINING EXPERT|PRIME Z390-P"),
        ("LGA1200", 1, _MADE, "PRIME H410M-E|Z590 UD AC"),
        ("LGA1700", 1, _MADE, "PRO Z690-A WIFI|B760M DS3H AX|Z790 AORUS ELITE AX"),
        ("LGA1851", 1, _SEEN, "02JGX1"),
        ("LGA1851", 1, _MADE, "PRO Z890-A WIFI"),
    )
    for name in names.split("|")
]


def cpu_market_name(key: str, cores: int) -> str:
    """Return a CPU's name as the market spells it.

    The market takes the name of ``/proc/cpuinfo`` and drops "Intel(R)", "CPU"
    and what follows an "@"; a trailing blank is left where the "@" was.
    """
    brand, _, model = key.partition(" ")
    upper = " ".join(
        word if word in {"v3", "v4"} else word.upper() for word in model.split()
    )
    if brand == "epyc":
        return f"AMD EPYC {upper} {cores}-Core Processor"
    if brand == "threadripper":
        suffix = "-Cores" if upper.startswith("PRO") else "-Core Processor"
        return f"AMD Ryzen Threadripper {upper} {cores}{suffix}"
    if brand == "ryzen":
        return f"AMD Ryzen {upper} {cores}-Core Processor"
    if brand == "xeon":
        return _xeon_name(upper)
    return _core_name(brand, model)


def _xeon_name(model: str) -> str:
    """Return a Xeon's name; the newest have no clock in it and so no blank."""
    words = model.split()
    if len(words) == 2 and not words[0].startswith("E5"):
        line, number = words
        newest = number[1] in "45"  # fourth generation and later
        return f"Xeon® {line.capitalize()} {number}" + ("" if newest else " ")
    return f"Xeon® {model} "


def _core_name(brand: str, model: str) -> str:
    """Return a Core's, Celeron's or Pentium's name."""
    if brand != "core":
        return f"{brand.capitalize()}® {model.upper()} "
    if model.startswith("ultra"):
        _, level, number = model.split()
        return f"Core™ Ultra {level} {number.upper()}"
    series, number = model.split("-")
    generation = int(number[:2]) if number[0] == "1" else 0
    name = f"Core™ {series}-{number.upper()}"
    return f"{generation}th Gen {name}" if generation >= 11 else f"{name} "
