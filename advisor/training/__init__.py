"""How the throughput model is trained, evaluated and described."""

from advisor.training.regressor import ThroughputRegressor

__all__ = ["ThroughputRegressor"]
