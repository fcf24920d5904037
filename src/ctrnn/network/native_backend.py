"""The CPU backend: `ctrnn.kernel`, with the same bits on every machine and any number of threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from ctrnn import kernel
from ctrnn.errors import UserError
from ctrnn.kernel.library import library
from ctrnn.kernel.losses import MeanSquaredError
from ctrnn.network.backends import Activity, SupervisedTrials, Trials
from ctrnn.network.model import Network, Wiring


class BackendError(UserError, RuntimeError):
    """This machine cannot run the backend."""


class NativeBackend:
    """Networks, and slices of their trials, side by side on `threads` cores (None: all that the process may use).

    Raises BackendError where the kernel cannot be built.
    """

    def __init__(self, threads: int | None) -> None:
        self.threads = threads or kernel.usable_cores()
        try:
            library()  # builds the kernel, so that what is missing is said before anything is computed
        except RuntimeError as error:
            raise BackendError(str(error)) from None

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """See `Backend.outputs`."""
        jobs = [self._forward(*pair, rates=False) for pair in zip(networks, trials, strict=True)]
        return [outputs for _, outputs in self._run(jobs)]

    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """See `Backend.activity`."""
        jobs = [self._forward(*pair, rates=True) for pair in zip(networks, trials, strict=True)]
        return [Activity(rates, z) for rates, z in self._run(jobs) if rates is not None]

    def loss_and_gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """See `Backend.loss_and_gradients`."""
        of_kernel = type(batches[0].loss) is MeanSquaredError
        outputs = [] if of_kernel else self.outputs(networks, batches)
        slopes: list[np.ndarray | None] = [None] * len(batches)
        for i, z in enumerate(outputs):
            slopes[i] = batches[i].loss.slopes(z, batches[i].targets, batches[i].mask)
        jobs = [
            kernel.TrainJob(
                network=prepared(network.wiring),
                weights=dict(network.weights),
                inputs=batch.inputs,
                targets=batch.targets,
                mask=batch.mask,
                key=batch.noise,
                rate_penalty=batch.rate_penalty,
                trainable=trainable,
                parameters=trained(network),
                slopes=by_outputs,
            )
            for network, batch, by_outputs in zip(networks, batches, slopes, strict=True)
        ]
        results = kernel.loss_and_gradients(jobs, self.threads)
        if of_kernel:
            return results
        return [
            (penalty + batch.loss.value(z, batch.targets, batch.mask), gradients)
            for (penalty, gradients), batch, z in zip(results, batches, outputs, strict=True)
        ]

    def _run(self, jobs: list[kernel.ForwardJob]) -> list[tuple[np.ndarray | None, np.ndarray]]:
        """Rates, where the job wants them, and outputs of every job."""
        return cast(
            "list[tuple[np.ndarray | None, np.ndarray]]", kernel.forward(jobs, self.threads)
        )

    def _forward(self, network: Network, trials: Trials, rates: bool) -> kernel.ForwardJob:
        return kernel.ForwardJob(
            network=prepared(network.wiring),
            weights=dict(network.weights),
            inputs=trials.inputs,
            key=trials.noise,
            want_rates=rates,
            parameters=trained(network),
        )


def trained(network: Network) -> Mapping[str, np.ndarray] | None:
    """The parameters of the equations, where training changes some."""
    return network.parameters if network.trained_parameters else None


_prepared: WeakKeyDictionary[Wiring, kernel.PreparedNetwork] = WeakKeyDictionary()


def prepared(wiring: Wiring) -> kernel.PreparedNetwork:
    """The kernel's form of a wiring, made once."""
    if wiring not in _prepared:
        settings = wiring.settings
        _prepared[wiring] = kernel.PreparedNetwork(
            mask=wiring.mask,
            sign=wiring.sign,
            parameters=wiring.parameters,
            sigma_post=wiring.sigma_post,
            model=settings.model,
            activation=settings.activation,
            dale=settings.dale,
        )
    return _prepared[wiring]
