"""A machine that somebody describes, as physics: no market record is made up for it."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.base.units import MIB_PER_GB, MIB_PER_GIB
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import GpuTable
from advisor.hardware.machines import Machines, describe
from advisor.market.facts import MachineFacts
from advisor.market.values import read_text


@dataclass(frozen=True, slots=True)
class Description:
    """A whole machine in a person's words and units; None is unknown.

    Attributes
    ----------
    gpu : name of its GPUs, of the GPU table or as markets spell it; one of a MIG slice
        states it ("A100 MIG 1g.5gb")
    num_gpus : GPUs
    gpu_memory_gb : GiB of one GPU; None: as the card is sold
    cpu : name of the CPU, as a host reports it
    threads : hardware threads; None: those of the CPU, else a usual number
    cpu_ghz : clock, GHz; it counts only where the name of the CPU says nothing
    ram_gb : host memory, 10^9 bytes
    pcie_gb_s : host-to-GPU copies as measured, 10^9 bytes/s; it goes before what the
        link should reach
    pcie_generation, pcie_lanes : of the link to each GPU; None: the GPU's own
    nvlink_gb_s : bandwidth of the links between GPUs, GB/s, 0 where there is none; None:
        as the card is sold
    disk_mb_s : disk bandwidth, 10^6 bytes/s
    """

    gpu: str
    num_gpus: int = 1
    gpu_memory_gb: float | None = None
    cpu: str | None = None
    threads: float | None = None
    cpu_ghz: float | None = None
    ram_gb: float | None = None
    pcie_gb_s: float | None = None
    pcie_generation: float | None = None
    pcie_lanes: float | None = None
    nvlink_gb_s: float | None = None
    disk_mb_s: float | None = None

    def facts(self) -> MachineFacts:
        """Return what is known of the machine, in the columns that offers have too."""
        memory, ram = self.gpu_memory_gb, self.ram_gb
        return MachineFacts.of(
            gpu_name=read_text(self.gpu),
            num_gpus=self.num_gpus,
            gpu_frac=1.0,
            gpu_ram_mb=None if memory is None else memory * MIB_PER_GIB,
            bw_nvlink_gb_s=self.nvlink_gb_s,
            pcie_gb_s=self.pcie_gb_s,
            pci_gen=self.pcie_generation,
            gpu_lanes=self.pcie_lanes,
            cpu_name=read_text(self.cpu),
            cpu_threads=self.threads,
            cpu_ghz=self.cpu_ghz,
            cpu_ram_mb=None if ram is None else ram * MIB_PER_GB,
            disk_bw_mb_s=self.disk_mb_s,
        )

    def machine(
        self, gpus: GpuTable, cpus: CpuTable, constants: CpuConstants
    ) -> Machines:
        """Return the machine as physics, the only row of its table.

        Parameters
        ----------
        constants : of core speeds and of hardware threads (`ThroughputModel.cpu`)
        """
        return describe(self.facts(), gpus, cpus, constants)
