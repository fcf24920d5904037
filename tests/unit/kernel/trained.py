"""Trains a small network of every model for a few iterations: `python -m tests.unit.kernel.trained` prints the hashes.

Without torch, so that it runs wherever the stages do. `train.c` does the same where there is no Python.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace

import numpy as np

from ctrnn.dynamics.models import models
from ctrnn.kernel import TrainJob, loss_and_gradients
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
    job, adam = job_to_train(equations), Adam(SETTINGS)
    for key in KEYS:
        _, gradients = loss_and_gradients([replace(job, key=int(key))], threads)[0]
        job = replace(job, weights=adam.step(job.weights, gradients))
    assert all(np.isfinite(array).all() for array in job.weights.values())
    return b"".join(job.weights[name].tobytes() for name in sorted(job.weights))


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
    return b"".join(array.tobytes() for array in arrays)


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
