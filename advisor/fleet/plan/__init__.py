"""Which machines a sweep rents, and which jobs run on each."""

from advisor.app.sweep_plan import PlannedMachine, RunningMachine, SweepPlan
from advisor.fleet.plan.planning import plan_sweep
from advisor.fleet.plan.request import request_for

__all__ = ["PlannedMachine", "RunningMachine", "SweepPlan", "plan_sweep", "request_for"]
