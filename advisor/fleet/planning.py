"""The plan of a sweep while it is carried out: made once, and anew where that pays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.app.context import Context
from advisor.app.sweep import SweepJob, SweepSpec
from advisor.fleet.board import Board
from advisor.fleet.controller import Share
from advisor.fleet.crew import Crew, Work
from advisor.fleet.events import Replanned
from advisor.fleet.plan import SweepPlan, plan_sweep, request_for
