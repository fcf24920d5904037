"""Training of a population of networks on a task."""

from ctrnn.training.files import save
from ctrnn.training.loop import TrainingError, train

__all__ = ["TrainingError", "save", "train"]
