"""Arrays -> matplotlib figures. Nothing here reads a file."""

from ctrnn.figures.outputs import outputs
from ctrnn.figures.sample_trials import sample_trials
from ctrnn.figures.spectrum import spectrum
from ctrnn.figures.state_space import state_space
from ctrnn.figures.style import save
from ctrnn.figures.training_curves import training_curves
from ctrnn.figures.weights import weights

__all__ = [
    "outputs",
    "sample_trials",
    "save",
    "save",
    "spectrum",
    "state_space",
    "training_curves",
    "weights",
]
