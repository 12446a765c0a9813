"""What programs get of fleets; without the extra it says so once it is used."""

from __future__ import annotations

from importlib.util import find_spec

from advisor.base.errors import UsageError
from advisor.base.resources import installing

__all__ = ["Cluster"]

EXTRA = "fleet"

if find_spec("distributed") is not None and find_spec("cryptography") is not None:
    from advisor.fleet.cluster import Cluster
else:

    class Cluster:  # type: ignore[no-redef]
        """Stands for a cluster where Dask is not installed."""

        def __init__(self, *_given: object, **_named: object) -> None:
            message = f"advisor.Cluster needs Dask: {installing(EXTRA)}"
            raise UsageError(message)
