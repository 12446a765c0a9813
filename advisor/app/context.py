"""What a command takes from the world, so that a test can hand it another one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from advisor.app.notices import say
from advisor.base.clock import Clock, interruptible
from advisor.base.errors import AdvisorError, UsageError
from advisor.base.log import happened
from advisor.base.progress import Progress, quiet
from advisor.base.resources import STORE, cache_folder, chosen_models_folder, data_folder
from advisor.workloads.load import (
    Library,
    library_of,
    load_settings,
    market_named,
    project_files,
)

if TYPE_CHECKING:
    import httpx

    from advisor.market.types import Market
    from advisor.software.image import Image
    from advisor.software.registry import ConfigCache
    from advisor.workloads.profile import Workload
    from advisor.workloads.settings import Settings
    from advisor.workloads.trust import Refused


@dataclass(frozen=True, slots=True)
class Context:
    """The outside world of one run.

    Attributes
    ----------
    variables : environment variables
    home : the user's home folder
    folder : working folder
    transport : carries HTTP requests; None for the real network
    clock : time; Ctrl-C ends its waits, see `advisor.base.interrupts`
    notify : takes a line for people
    called : returns what the face calls a field of a spec, for such lines
    progress : is told how far long work has come
    """

    variables: Mapping[str, str]
    home: Path
    folder: Path
    transport: httpx.BaseTransport | None = None
    clock: Clock = field(default_factory=Clock)
    notify: Callable[[str], None] = say
    called: Callable[[str], str] = str
    progress: Progress = quiet
    _notified: set[str] = field(
        default_factory=set, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Let Ctrl-C end the waits of its clock."""
        object.__setattr__(self, "clock", interruptible(self.clock))

    def now(self) -> datetime:
        """Return the time of this world (UTC)."""
        return self.clock.now()

    def notify_once(self, line: str) -> None:
        """Notify people once of something that a command may come upon several times."""
        if line not in self._notified:
            self._notified.add(line)
            self.notify(line)

    def words_of(self, error: AdvisorError) -> str:
        """Return the message of an error that is only reported, in the face's words."""
        return error.worded(lambda given: self.called(given.name))

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the world as this process finds it."""
        return cls(os.environ, Path.home(), Path.cwd())

    def open_market(self, name: str | None) -> Market:
        """Return a market of this world, that of `market_name` if `None`."""
        if name is None:  # an empty one is a slip, such as an unset variable
            return self.open_named(self.market_name)
        return self._opened(name)

    def open_named(self, name: str) -> Market:
        """Return a market by its name: a file of that name is none."""
        return self._opened(name, may_be_file=False)

    def _opened(self, name: str, *, may_be_file: bool = True) -> Market:
        from advisor.market import registry  # noqa: PLC0415  (who asks a market)

        happened("market", "%s is opened", name)
        return registry.open_market(
            name,
            self.variables,
            self.home,
            self.transport,
            self.clock,
            may_be_file=may_be_file,
        )

    @property
    def market_name(self) -> str:
        """The market that is asked where nobody names one.

        It is that of an ``advisor.toml`` that can be read, else the one that there is a
        key of, else the sample.
        """
        from advisor.market import registry  # noqa: PLC0415  (who asks a market)

        files = project_files(self.data_folder, self.folder)
        self._notify_refused(files.refused)
        named = None
        try:
            named = market_named(files.obeyed)
        except UsageError as error:  # who needs what else is in it fails for it
            self.notify_once(f"{error}; a market that it may name does not count")
        return named or registry.default_market(self.variables, self.home)

    @property
    def cache_folder(self) -> Path:
        """Where answers of markets are stored for a while."""
        return cache_folder(self.variables)

    @property
    def data_folder(self) -> Path:
        """Where the user's own data are stored."""
        return data_folder(self.variables)

    @property
    def ssh_folder(self) -> Path:
        """Where advisor's own key pair for rented machines is."""
        return self.data_folder / "ssh"

    @property
    def has_stored_data(self) -> bool:
        """Whether the user has stored anything yet."""
        return (self.data_folder / STORE).exists()

    @property
    def library(self) -> Library:
        """The profiles of the project, of the user, and the built-in ones."""
        found = library_of(self.data_folder, self.folder)
        self._notify_refused(found.refused)
        return found

    @property
    def settings(self) -> Settings:
        """What the files of the project and the user say of rentals."""
        files = project_files(self.data_folder, self.folder)
        self._notify_refused(files.refused)
        return load_settings(files.obeyed)

    @property
    def rental_settings(self) -> Settings:
        """The same where money is spent by it.

        Raises
        ------
        UsageError
            if a file of the user's own is not obeyed: a cap in it would be lost
        """
        for one in project_files(self.data_folder, self.folder).refused:
            if one.is_own:
                message = f"{one}; nothing is rented past caps that may be in it"
                raise UsageError(message)
        return self.settings

    def _notify_refused(self, refused: Iterable[Refused]) -> None:
        for one in refused:
            self.notify_once(f"{one}; its caps, image and profiles do not count")

    @property
    def image_configs(self) -> ConfigCache:
        """What registries have answered about images."""
        from advisor.software.registry import ConfigCache  # noqa: PLC0415

        return ConfigCache(self.cache_folder / "images", self.now)

    def images(self, asked: str, workload: Workload | None = None) -> tuple[Image, ...]:
        """Return the images that a job may run in, see `software.known.images_of`."""
        from advisor.software.image import Declared  # noqa: PLC0415
        from advisor.software.known import Wanted, images_of  # noqa: PLC0415

        configured = Wanted()
        try:
            settings = self.settings
        except UsageError:  # it is of no account where the image is named
            if not (asked or (workload and workload.image)):
                raise
        else:
            declared = Declared(settings.image_cuda or "", settings.image_archs or "")
            configured = Wanted(settings.image or "", declared)
        return images_of(asked, workload, configured, self.image_configs.current)

    @property
    def models(self) -> Path:
        """Folder of the artifact that predictions take."""
        folder = chosen_models_folder(self.data_folder)
        happened("model", "the artifact of %s is taken", folder)
        return folder
