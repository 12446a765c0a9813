"""What a command takes from the world, so that a test can hand it another one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from advisor.clock import Clock, utc_now
from advisor.errors import UsageError
from advisor.resources import STORE, cache_folder, chosen_models_folder, data_folder
from advisor.workloads.load import Library, library_of, load_settings, project_files

if TYPE_CHECKING:
    import httpx

    from advisor.market.types import Market
    from advisor.software.image import Image
    from advisor.software.registry import ConfigCache
    from advisor.workloads.profile import Workload
    from advisor.workloads.settings import Settings


@dataclass(frozen=True, slots=True)
class Environment:
    """The outside world of one run.

    Attributes
    ----------
    variables : environment variables
    home : the user's home folder
    now : tells the time (UTC)
    folder : working folder
    transport : carries HTTP requests; None for the real network
    monotonic, sleep : as in `Clock`
    """

    variables: Mapping[str, str]
    home: Path
    now: Callable[[], datetime]
    folder: Path
    transport: httpx.BaseTransport | None = None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the world as this process finds it."""
        return cls(os.environ, Path.home(), utc_now, Path.cwd())

    def open_market(self, name: str | None) -> Market:
        """Return a market of this world, the default one if `None`."""
        from advisor.market import registry  # noqa: PLC0415  (who asks a market)

        if name is None:  # an empty one is a slip, such as an unset variable
            name = registry.default_market(self.variables, self.home)
        return registry.open_market(
            name,
            self.variables,
            self.home,
            self.transport,
            self.clock,
        )

    @property
    def clock(self) -> Clock:
        """The time of this world."""
        return Clock(self.now, self.monotonic, self.sleep)

    @property
    def cache_folder(self) -> Path:
        """Where answers of markets are kept for a while."""
        return cache_folder(self.variables)

    @property
    def data_folder(self) -> Path:
        """Where the user's own data are kept for good."""
        return data_folder(self.variables)

    @property
    def keeps_data(self) -> bool:
        """Whether the user has kept anything yet."""
        return (self.data_folder / STORE).exists()

    @property
    def library(self) -> Library:
        """The profiles of the project, of the user, and the built-in ones."""
        return library_of(self.data_folder, self.folder)

    @property
    def settings(self) -> Settings:
        """What the files of the project and the user say of rentals."""
        return load_settings(project_files(self.data_folder, self.folder))

    @property
    def image_configs(self) -> ConfigCache:
        """What registries have told of images."""
        from advisor.software.registry import ConfigCache  # noqa: PLC0415

        return ConfigCache(self.cache_folder / "images", self.now)

    def images(self, asked: str, workload: Workload | None = None) -> tuple[Image, ...]:
        """Return the images that a job may run in, see `software.known.images_of`."""
        from advisor.software.image import Declared  # noqa: PLC0415
        from advisor.software.known import Wanted, images_of  # noqa: PLC0415

        configured = Wanted()
        try:
            said = self.settings
        except UsageError:  # it is of no account where the image is named
            if not (asked or (workload and workload.image)):
                raise
        else:
            declared = Declared(said.image_cuda or "", said.image_archs or "")
            configured = Wanted(said.image or "", declared)
        return images_of(asked, workload, configured, self.image_configs.current)

    @property
    def models(self) -> Path:
        """Folder of the artefact that predictions take."""
        return chosen_models_folder(self.data_folder)
