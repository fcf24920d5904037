"""Arrays -> matplotlib figures. Nothing here reads a file, and only `save` writes one."""

from ctrnn.figures.fixed_points import fixed_points, slow_points
from ctrnn.figures.generalisation import generalisation, psychometric
from ctrnn.figures.lesions import lesions
from ctrnn.figures.outputs import outputs
from ctrnn.figures.roles import circuit, roles
from ctrnn.figures.sample_trials import sample_trials
from ctrnn.figures.selection import selection
from ctrnn.figures.similarity import similarity
from ctrnn.figures.spectrum import spectrum
from ctrnn.figures.state_space import state_space
from ctrnn.figures.style import png, save
from ctrnn.figures.targeted import targeted
from ctrnn.figures.training_curves import training_curves
from ctrnn.figures.weights import weights

__all__ = [
    "circuit",
    "fixed_points",
    "generalisation",
    "lesions",
    "outputs",
    "png",
    "psychometric",
    "roles",
    "sample_trials",
    "save",
    "selection",
    "similarity",
    "slow_points",
    "spectrum",
    "state_space",
    "targeted",
    "training_curves",
    "weights",
]
