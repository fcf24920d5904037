"""Trains a small network of every model for a few iterations: `python -m tests.unit.kernel.trained` prints the hashes.

Without torch, so that it runs wherever the stages do. `train.c` does the same where there is no Python.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ctrnn.dynamics.models import models
from ctrnn.kernel import TrainJob, loss_and_gradients
from ctrnn.kernel.run import NAMES, _Gradients, _in_order
from ctrnn.training.optimizer import Adam
from ctrnn.training.settings import TrainSettings
from tests.unit.kernel.cases import EQUATIONS, Case, job_of

# A model that EQUATIONS does not have is trained with the sigmoid.
EVERY_MODEL = tuple((model, dict(reversed(EQUATIONS)).get(model, "sigmoid")) for model in models())
KEYS = np.array([7, 2**40, 2**64 - 1, 123456789], np.uint64)  # of the noise, one an iteration
SETTINGS = TrainSettings.model_construct(learning_rate=0.02, beta_1=0.9, beta_2=0.999, epsilon=1e-8)


def job_to_train(equations: tuple[str, str]) -> TrainJob:
    """A network and its trials: two slices, and steps and columns that fill no block."""
    model, activation = equations
    case = Case(n=45, T=20, trials=37, rate_penalty=0.1, weighted_mask=True, seed=5)
    return job_of(replace(case, model=model, activation=activation))


def weights(equations: tuple[str, str], threads: int = 1) -> bytes:
    """The bytes of the trained weights, by name."""
    return _trained(equations, threads)[0]


def weights_and_sums(equations: tuple[str, str]) -> bytes:
    """These, and the sums of the last iteration that gradients by parameters are made of: what `train.c` writes."""
    return b"".join(_trained(equations, 1))


def _trained(equations: tuple[str, str], threads: int) -> tuple[bytes, bytes]:
    job, adam = job_to_train(equations), Adam(SETTINGS)
    for key in KEYS:
        last = replace(job, key=int(key))
        _, gradients = loss_and_gradients([last], threads)[0]
        job = replace(job, weights=adam.step(job.weights, gradients))
    assert all(np.isfinite(array).all() for array in job.weights.values())
    of_units = _Gradients(replace(last, trainable=NAMES | {"tau"}))
    for call in of_units.work:
        call()
    sums = [_in_order(of_units.parts[name]) for name in ("p", "noise", "start")]
    assert all(np.isfinite(array).all() and array.any() for array in sums)
    trained = [job.weights[name] for name in sorted(job.weights)]
    return _bytes(trained), _bytes(sums)


def _bytes(arrays: Iterable[np.ndarray]) -> bytes:
    return b"".join(array.tobytes() for array in arrays)


def handed_over(equations: tuple[str, str]) -> bytes:
    """What `train.c` reads."""
    job = job_to_train(equations)
    net, (T, trials, channels) = job.network, job.inputs.shape
    rows, columns, tiles, of_units = (
        net.pattern,
        net.pattern_transposed,
        net.tiles,
        net.coefficients,
    )
    sizes = (net.n_units, channels, job.targets.shape[2], T, trials, rows.source.size, columns.source.size,
             tiles.row.size, tiles.source.size, net.dale, KEYS.size)  # fmt: skip
    settings = (SETTINGS.learning_rate, SETTINGS.beta_1, SETTINGS.beta_2, SETTINGS.epsilon, net.sigma_post,
                job.rate_penalty)  # fmt: skip
    arrays: tuple[np.ndarray, ...] = (
        np.array(sizes, np.int64), KEYS, np.array(settings, np.float64),
        rows.row, rows.column, rows.source, columns.row, columns.column, columns.source,
        tiles.begin, tiles.row, tiles.column, tiles.source,
        of_units.of_model, of_units.start, of_units.gain, of_units.noise, net.sign,
        job.inputs, job.targets, np.asarray(job.mask, np.float32),
        *(job.weights[name] for name in sorted(job.weights)),
    )  # fmt: skip
    return _bytes(arrays)


def digests(threads: int = 1) -> dict[str, str]:
    """SHA-256 of the trained weights of every model."""
    return {
        "-".join(equations): hashlib.sha256(weights(equations, threads)).hexdigest()
        for equations in EVERY_MODEL
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for equations, digest in digests().items():
        print(equations, digest)
