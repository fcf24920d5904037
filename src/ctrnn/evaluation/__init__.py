"""What trained networks answer on the test trials."""

from ctrnn.evaluation.performance import evaluate, metrics

__all__ = ["evaluate", "metrics"]
