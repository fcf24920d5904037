"""What is added to the loss to keep weights small. The penalty on firing rates is the backend's, which has the rates.

Song, Yang & Wang (2016, PLoS Comput Biol 12:e1004792) and Yang et al. (2019, Nat Neurosci 22:297) penalise rates and
weights. All are mean squares here, so that a factor means the same in a network of any size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ctrnn.network import Network
from ctrnn.training.settings import Penalties


def with_weight_penalties(
    loss: float, gradients: Mapping[str, np.ndarray], network: Network, penalties: Penalties
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss with the mean squares of W_eff over the pattern and of the effective W_out, and its gradient."""
    gradients = dict(gradients)
    n_synapses = max(1, int(network.wiring.mask.sum()))
    W_out = network.effective_weights["W_out"]
    for name, factor, effective, n in (
        ("W_rec", penalties.W_rec, network.W_eff, n_synapses),
        ("W_out", penalties.W_out, W_out, W_out.size),
    ):
        if factor:
            loss += factor * float(np.square(effective, dtype=np.float64).sum()) / n
            if name in gradients:
                # Effective weights are +-W where they are not 0, so that d(effective^2)/dW = 2 |effective| sign(W).
                slope = 2 * np.abs(effective) * np.sign(network.weights[name])
                gradients[name] = gradients[name] + np.float32(factor / n) * slope
    return loss, gradients
