"""Networks of excitatory and inhibitory rate units, and the dynamics that run them."""

from ctrnn.network.backends import Activity, Backend, SupervisedTrials, Trials
from ctrnn.network.dale_backend import get_backend
from ctrnn.network.initialise import initialise
from ctrnn.network.model import Network, Wiring, from_arrays
from ctrnn.network.weights_file import KINDS, read_network, read_population, read_with_settings

__all__ = [
    "KINDS",
    "Activity",
    "Backend",
    "Network",
    "SupervisedTrials",
    "Trials",
    "Wiring",
    "from_arrays",
    "get_backend",
    "initialise",
    "read_network",
    "read_population",
    "read_with_settings",
]
