"""Networks of excitatory and inhibitory rate units, and the dynamics that run them."""

from ctrnn.network.backends import Activity, Backend, TaughtTrials, Trials, get_backend
from ctrnn.network.files import KINDS, read_network, read_population, read_with_settings
from ctrnn.network.initialise import initialise
from ctrnn.network.network import Network, Wiring, from_arrays

__all__ = [
    "KINDS",
    "Activity",
    "Backend",
    "Network",
    "TaughtTrials",
    "Trials",
    "Wiring",
    "from_arrays",
    "get_backend",
    "initialise",
    "read_network",
    "read_population",
    "read_with_settings",
]
