"""Arrays -> matplotlib figures. Nothing here reads a file, and only `save` writes one."""

from ctrnn.figures.outputs import outputs
from ctrnn.figures.sample_trials import sample_trials
from ctrnn.figures.spectrum import spectrum
from ctrnn.figures.state_space import state_space
from ctrnn.figures.style import png, save
from ctrnn.figures.training_curves import training_curves
from ctrnn.figures.weights import weights

__all__ = [
    "outputs",
    "png",
    "sample_trials",
    "save",
    "spectrum",
    "state_space",
    "training_curves",
    "weights",
]
