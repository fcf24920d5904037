"""For notebooks: a trained network that runs, is changed and is analysed in a line each. No stage imports this.

`ctrnn` hands out these names too: `ctrnn.load`, `ctrnn.Clamp`.
"""

from ctrnn.notebook.changes import NotebookError
from ctrnn.notebook.interventions import Clamp, Current, Displacement, Trajectory
from ctrnn.notebook.loading import load
from ctrnn.notebook.model import Model, NewTrials
from ctrnn.notebook.planes import Flow, Plane
from ctrnn.notebook.points import fixed_points
from ctrnn.notebook.results import checkout, runs

__all__ = [
    "Clamp",
    "Current",
    "Displacement",
    "Flow",
    "Model",
    "NewTrials",
    "NotebookError",
    "Plane",
    "Trajectory",
    "checkout",
    "fixed_points",
    "load",
    "runs",
]
