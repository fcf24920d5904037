"""Opening trained networks up: arrays in, arrays out."""

from ctrnn.analysis.analyze import Analysis, analyze

__all__ = ["Analysis", "analyze"]
