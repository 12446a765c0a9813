"""What runs in the processes apart: everything that touches a GPU.

Each function sends what it finds as it comes: lines, checks and what was left out. They
run on the CPU too, where the device is ``cpu``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from advisor.measure.probe.gpu import components
from advisor.measure.probe.gpu.apart import one_line
from advisor.measure.probe.gpu.cards import seen_gpu
from advisor.measure.probe.gpu.timing import Device
from advisor.measure.probe.gpu.watch import Watch
from advisor.measure.probe.lines import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from advisor.measure.probe.gpu.apart import Send
    from advisor.measure.probe.gpu.components import Sizes
    from advisor.measure.probe.gpu.recipe import Feed, Recipe
    from advisor.measure.probe.lines import Line

_LINK, _PRODUCTS, _MEMORY, _LAUNCHES = 0.2, 0.5, 0.15, 0.15
"""Shares of a device's time, for its parts."""


class Begun(NamedTuple):
    """The message that a device is measured from now on."""

    place: int


def parts_apart(send: Send, names: tuple[str, ...], sizes: Sizes, seconds: float) -> None:
    """Send what each part of these devices does, and how they are under load.

    Parameters
    ----------
    names : of the devices
    sizes : of the arrays
    seconds : for all of them
    """
    import torch  # noqa: PLC0415

    for place, name in enumerate(names):
        send(Begun(place))
        device = Device(torch, name)
        device.select()
        number = int(name.rpartition(":")[2]) if device.is_cuda else 0
        gpu = seen_gpu(torch, number) if device.is_cuda else {}
        own_s = seconds / len(names)
        with Watch(device.line, gpu, number) as linked:
            link = components.link(device, sizes, _LINK * own_s)
            _send(send, device, "h2d", link)
        with Watch(device.line, gpu, number) as loaded:
            products = components.products(device, sizes, _PRODUCTS * own_s)
            _send(send, device, "matmul", products)
        for line in (*linked.link_lines(), *loaded.load_lines()):
            send(line)
        check = loaded.check()
        if check is not None:
            send(check)
        memory = components.memory(device, sizes, _MEMORY * own_s)
        _send(send, device, "bandwidth", memory)
        launches = components.launches(device, _LAUNCHES * own_s)
        _send(send, device, "launch", launches)


def training_apart(
    send: Send, name: str, recipe: Recipe, threads: int, seconds: float
) -> None:
    """Send how fast a profile is trained on random data.

    Parameters
    ----------
    name : of the device
    recipe : how it is trained
    threads : that a CPU computes with
    seconds : for the steps
    """
    import torch  # noqa: PLC0415

    from advisor.measure.probe.gpu.train import synthetic  # noqa: PLC0415

    torch.set_num_threads(threads)
    send(synthetic(Device(torch, name), recipe, seconds))


def fed_apart(send: Send, name: str, recipe: Recipe, feed: Feed, seconds: float) -> None:
    """Send how fast a profile is trained on pictures from files."""
    import torch  # noqa: PLC0415

    from advisor.measure.probe.gpu.fed import fed  # noqa: PLC0415

    send(fed(Device(torch, name), recipe, feed, seconds))


def _send(send: Send, device: Device, part: str, lines: Iterator[Line]) -> None:
    """Send the lines of a part; one that fails is left out.

    After some errors of a GPU nothing works any more in the same process: then it ends.
    """
    try:
        for line in lines:
            send(line)
    except RuntimeError as error:
        try:
            device.wait()
        except RuntimeError:
            raise error from None
        send(Skipped(f"{device.line}.{part}", one_line(error)))
