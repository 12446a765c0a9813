"""All-reduce between GPUs, one process each, as data-parallel training runs it."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.gpu.timing import Device, line_of, measured

if TYPE_CHECKING:
    from advisor.measure.probe.gpu.apart import Send


class Group(NamedTuple):
    """Processes that reduce together.

    Attributes
    ----------
    devices : one per process, as PyTorch names them
    size_bytes : of what each has: large enough that the bandwidth counts alone
    """

    devices: tuple[str, ...]
    size_bytes: int = 256 << 20


def reduce_apart(send: Send, group: Group, seconds: float) -> None:
    """Send the bus bandwidth of an all-reduce.

    It is what nccl-tests call so: the bytes of one process over the time, times
    2 (n - 1) / n, the share of them that crosses each link (NVIDIA, nccl-tests,
    "Performance reported by NCCL tests"). So rings of any length compare.

    Parameters
    ----------
    group : of processes
    seconds : for the calls

    Raises
    ------
    RuntimeError
        if a process fails
    """
    import torch.multiprocessing  # noqa: PLC0415

    number = len(group.devices)
    answers = torch.multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        meeting = os.path.join(folder, "meeting")  # noqa: PTH118  (of an address)
        try:
            torch.multiprocessing.spawn(_rank, (group, seconds, meeting, answers), number)
        except Exception as error:
            last = str(error).strip().splitlines()[-1:]
            message = last[0] if last else type(error).__name__
            raise RuntimeError(message.replace("RuntimeError: ", "", 1)) from error
    taken = answers.get()
    crossed = 2.0 * (number - 1) / number * group.size_bytes / 1e9
    note = f"bus bandwidth, {group.size_bytes >> 20} MiB"
    name = f"allreduce.gpus{number}"
    send(line_of([crossed / one for one in taken], name, "GB/s", note))


def _rank(rank: int, group: Group, seconds: float, meeting: str, answers: Any) -> None:
    """Reduce as one of the processes; the first answers with its seconds."""
    import torch.distributed  # noqa: PLC0415

    device = Device(torch, group.devices[rank])
    device.select()
    torch.distributed.init_process_group(
        "nccl" if device.is_cuda else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=len(group.devices),
    )
    numbers = torch.ones(group.size_bytes // 4, device=device.name)

    def agreed(calls: int) -> int:
        """Return what the first process says: each has to call as often as the others."""
        said = torch.tensor([calls], device=device.name)
        torch.distributed.broadcast(said, 0)
        return int(said.item())

    def reduce() -> None:
        torch.distributed.all_reduce(numbers)

    reading = measured(device, reduce, seconds, agreed)
    if rank == 0:
        answers.put(reading.seconds)
    torch.distributed.destroy_process_group()
