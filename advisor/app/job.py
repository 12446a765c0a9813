"""What is trained, and how its machine is paid."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field
from typing import Self

from advisor.app.context import Context
from advisor.app.documents import arguments_of, needs
from advisor.app.settle import settle
from advisor.base.errors import ArgumentError, Given, UsageError
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import RENTALS, Job, Rental, needed_disk_gb
from advisor.rental import arguments
from advisor.software.reference import Reference
from advisor.workloads.override import override
from advisor.workloads.parse import checked_workload
from advisor.workloads.profile import Workload

Setting = str | int | float | bool

LARGEST_MARGIN = 0.9
"""Largest share of a GPU's memory that is left free."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A workload, its figures, and what its machine costs and runs.

    Attributes
    ----------
    workload : name or path of a profile
    settings : keys of the profile with what replaces its figures; a text is read as the
        number that a figure is
    epochs : of the job; None: the profile's
    disk_gb : GB of disk to rent; None: what the job needs
    rental : how the machine is paid
    fit_batch : take the largest batch that each GPU holds, not the workload's
    memory_margin : share of a GPU's memory that is to be left free
    assumptions : names with figures of the cost model that replace its own
    image : Docker image; None: chosen by card and driver

    Raises
    ------
    UsageError
        if a value cannot be right, or two contradict each other
    """

    workload: str
    settings: tuple[tuple[str, Setting], ...] = field(
        default=(), metadata={"pairs": True}
    )
    epochs: int | None = None
    disk_gb: float | None = None
    rental: Rental = "on-demand"
    fit_batch: bool = False
    memory_margin: float = 0.0
    assumptions: tuple[tuple[str, float], ...] = field(
        default=(), metadata={"pairs": True}
    )
    image: str | None = None

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.text, "workload")
        settle(self, _settings, "settings")
        settle(self, arguments.whole, "epochs", may_lack=True)
        settle(self, arguments.above_zero, "disk_gb", unit="gigabytes", may_lack=True)
        settle(self, arguments.one_of, "rental", known=RENTALS)
        settle(self, arguments.flag, "fit_batch")
        settle(self, arguments.share, "memory_margin", most=LARGEST_MARGIN)
        settle(self, _figures, "assumptions")
        settle(self, arguments.text, "image", may_lack=True)
        Assumptions().replaced(dict(self.assumptions))
        if self.image is not None:
            Reference.parse(self.image)
        figures = dict(self.settings)
        if self.fit_batch and "batch_size" in figures:
            raise _contradiction("fit_batch", "batch_size")
        if self.epochs is not None and "epochs" in figures:
            raise _contradiction("epochs", "epochs")

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document's part holds; see `advisor.app.documents`."""
        found = arguments_of(cls, document)
        needs(found, "workload")
        for name in ("settings", "assumptions"):
            if isinstance(found.get(name), dict):
                found[name] = tuple(found[name].items())
        return cls(**found)

    def job(
        self,
        context: Context,
        workload: Workload | None = None,
        *,
        is_rented: bool = False,
    ) -> Job:
        """Return the job, its profile with the user's own figures, and its images.

        Parameters
        ----------
        context : the outside world
        workload : the profile that is meant; None: it is looked up by its name
        is_rented : a machine is rented for it: its disk must hold what the job needs

        Raises
        ------
        UsageError
            if there is no such profile, a figure is no such, or the disk is too small
        """
        if workload is None:
            workload = context.library.load(self.workload)
        else:
            workload = checked_workload(workload)
        profile = override(workload, dict(self.settings))
        assumptions = Assumptions().replaced(dict(self.assumptions))
        if short := _lacks_disk(profile, self.disk_gb):
            message = f"{context.called('disk_gb')} {short}"
            if is_rented:
                raise UsageError(message)
            context.notify_once(message)
        images = context.images(self.image or "", profile)
        if not any(image.is_known for image in images):
            context.notify_once(_unknown(images[0].name))
        return Job(
            profile,
            self.epochs or profile.epochs,
            self.disk_gb or needed_disk_gb(profile, assumptions),
            self.rental,
            assumptions,
            self.fit_batch,
            images=images,
            memory_margin=self.memory_margin,
        )


def _lacks_disk(profile: Workload, disk_gb: float | None) -> str:
    """Say that a disk is too small for a training; empty if it is not."""
    if disk_gb is None or disk_gb >= profile.disk_gb:
        return ""
    parts = {
        "data": profile.stored_gb,
        "image": profile.image_gb,
        "two checkpoints": 2.0 * profile.checkpoint_gb,
    }
    needed = ", ".join(f"{what} {size:.3g}" for what, size in parts.items() if size)
    return (
        f"{disk_gb:.3g} is less than the {profile.disk_gb:.3g} GB that {profile.name} "
        f"needs ({needed}), and a rented disk does not grow: ask for more, or state "
        "what is on it with dataset_gb"
    )


def _settings(name: str, values: object) -> tuple[tuple[str, Setting], ...]:
    found = arguments.pairs(name, values)
    return tuple((key, _setting(name, value)) for key, value in found)


def _setting(name: str, value: object) -> Setting:
    """Return a figure as JSON has it; which one a profile takes is for it to say."""
    if isinstance(value, bool) or value == "":
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return arguments.finite(name, value)
    return str(arguments.text(name, value))


def _figures(name: str, values: object) -> tuple[tuple[str, float], ...]:
    found = arguments.pairs(name, values)
    return tuple((key, arguments.finite(name, value)) for key, value in found)


def _contradiction(one: str, setting: str) -> ArgumentError:
    return ArgumentError(
        *(Given(one), " and ", Given("settings"), f" {setting} contradict each other: "),
        "leave one out",
    )


def _unknown(image: str) -> str:
    """Say that it is unknown which cards run an image, and what would say so."""
    from advisor.software.rules import AUTOMATIC_TAG  # noqa: PLC0415  (of few images)

    asks = f"'advisor image {image}' asks its registry, "
    return (
        f"which cards run {image} is unknown: "
        f"{'' if image.endswith(AUTOMATIC_TAG) else asks}image_cuda and image_archs in "
        "the profile or in advisor.toml declare it"
    )
