"""What the model's file says of itself: what was measured, and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was measured: section ``coverage`` of the artifact.

    Attributes
    ----------
    workload_rows, gpu_rows : name -> measurements behind it
    workload_gpus, workload_series : workload -> GPUs and series that measured it
    """

    workload_rows: Mapping[str, int]
    gpu_rows: Mapping[str, int]
    workload_gpus: Mapping[str, Sequence[str]]
    workload_series: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the model was trained: section ``provenance`` of the artifact.

    Attributes
    ----------
    training_rows, scored_rows : rows of the table that train the model, and that it is
        evaluated on
    lower_bounds, binding_lower_bounds : rows that are at least what they say, and those
        of them that lie above what the rest expects
    points : inputs that the posterior of what workloads share is stored on
    date : of the training, ISO 8601; None: not stated, as the hashes below
    table, auxiliary, cells : first digits of the SHA-256 of the tables, `cells` those of
        the use of their rows
    own_records : numbers of the user's records that train it; None: it is not the user's
    """

    training_rows: int
    scored_rows: int
    lower_bounds: int
    binding_lower_bounds: int
    points: int
    date: str | None = None
    table: str | None = None
    auxiliary: str | None = None
    cells: str | None = None
    own_records: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is stated, as plain data for JSON."""
        stated = {name: one for name, one in asdict(self).items() if one is not None}
        if self.own_records is not None:
            stated["own_records"] = list(self.own_records)
        return stated

    @classmethod
    def from_dict(cls, section: Mapping[str, Any]) -> Provenance:
        """Read what `to_dict` gave."""
        own = section.get("own_records")
        records = None if own is None else tuple(own)
        return cls(**{**section, "own_records": records})
