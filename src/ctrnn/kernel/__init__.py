"""The native training kernel: the dynamics, their gradients and their noise in one C source, numpy in and out."""

from ctrnn.kernel.build import isa
from ctrnn.kernel.elementary import log, logistic
from ctrnn.kernel.losses import CrossEntropy, Loss, MeanSquaredError
from ctrnn.kernel.normals import normals
from ctrnn.kernel.prepared import PreparedNetwork
from ctrnn.kernel.run import (
    ForwardJob,
    TrainJob,
    forward,
    loss_and_gradients,
    noise,
    usable_cores,
)

__all__ = [
    "CrossEntropy",
    "ForwardJob",
    "Loss",
    "MeanSquaredError",
    "PreparedNetwork",
    "TrainJob",
    "forward",
    "isa",
    "log",
    "logistic",
    "loss_and_gradients",
    "noise",
    "normals",
    "usable_cores",
]
