"""The kernel against the scalar reference in the same file, which has nothing of its vectors, tiles and polynomials."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double, c_int64, c_void_p
from dataclasses import replace

import numpy as np
import pytest

from ctrnn.dynamics.model import GENERAL
from ctrnn.dynamics.models import models
from ctrnn.kernel import TrainJob, forward, loss_and_gradients
from ctrnn.kernel.library import SliceC, address
from tests.unit.kernel.cases import ALL_EQUATIONS, Case, forward_job, job_of


class ReferenceC(ctypes.Structure):
    """`Reference` of kernel.c."""

    _fields_ = [
        *((name, c_int64) for name in ("n", "channels", "outputs")),
        *((name, c_void_p) for name in ("p", "W_eff", "W_in", "b_rec", "W_out", "b_out")),
        ("s_post", c_double),
        *((name, c_void_p) for name in ("y", "r", "z", "loss")),
        *((name, c_void_p) for name in ("W_rec", "dW_in", "db_rec", "dW_out", "db_out")),
    ]


def by_reference(job: TrainJob) -> dict[str, np.ndarray]:
    """Rates, outputs, loss and gradients of every trial, one after the other."""
    net, weights = job.network, {name: w.astype(np.float64) for name, w in job.weights.items()}
    (T, trials, channels), n, outputs = job.inputs.shape, net.n_units, len(weights["W_out"])
    names = (*GENERAL, *models()[net.model].parameters)
    p = np.stack([net.parameters[name] for name in names], axis=1).astype(np.float64)
    W_rec = weights["W_rec"]
    by_W = np.where(W_rec > 0, net.sign, 0) * net.mask if net.dale else net.mask.astype(np.float64)
    given = [p, by_W * W_rec, *(weights[name] for name in ("W_in", "b_rec", "W_out", "b_out"))]
    y, r, z = (
        np.empty((T + 1, n, len(models()[net.model].states))),
        np.empty((T + 1, n)),
        np.empty((T, outputs)),
    )
    results = {
        "loss": np.zeros(1),
        **{name: np.zeros_like(w) for name, w in sorted(weights.items())},
    }
    results |= {"rates": np.empty((T, trials, n)), "outputs": np.empty((T, trials, outputs))}
    made = [
        y,
        r,
        z,
        results["loss"],
        *(results[name] for name in ("W_rec", "W_in", "b_rec", "W_out", "b_out")),
    ]
    mask = np.asarray(job.mask, np.float32)
    reference = ReferenceC(
        n,
        channels,
        outputs,
        *map(address, given),
        float(np.float32(net.sigma_post)),
        *map(address, made),
    )
    part = SliceC(
        T=T, trials=trials, noisy=1, key=job.key,
        inputs=address(job.inputs), targets=address(job.targets), mask=address(mask),
        scale=1 / mask.sum(dtype=np.float64), rate_penalty=job.rate_penalty / (T * trials * n),
    )  # fmt: skip
    run = net.library.ctrnn_reference
    run.restype, run.argtypes = None, [POINTER(ReferenceC), POINTER(SliceC), c_int64]
    for trial in range(trials):
        run(byref(reference), byref(part), trial)
        results["rates"][:, trial], results["outputs"][:, trial] = r[1:], z
    results["W_rec"] *= by_W
    return results


@pytest.mark.parametrize("equations", ALL_EQUATIONS, ids="-".join)
def test_the_kernel_computes_what_its_scalar_reference_does(equations: tuple[str, str]) -> None:
    """Two slices, one with 2 trials; blocks of columns and of units, and steps, that do not come out even."""
    model, activation = equations
    case = Case(n=43, T=15, trials=34, density=0.4, rate_penalty=0.1, weighted_mask=True)
    job = job_of(replace(case, model=model, activation=activation))
    if activation == "threshold_power_law":  # squares of squares run out of float32
        job = replace(job, weights={name: w / np.float32(3) for name, w in job.weights.items()})
    expected = by_reference(job)
    loss, gradients = loss_and_gradients([job], threads=1)[0]
    rates, outputs = forward([forward_job(job)], threads=1)[0]
    results = {"loss": np.array([loss]), "rates": rates, "outputs": outputs, **gradients}
    assert results.keys() == expected.keys()
    for name, array in results.items():
        largest = np.abs(expected[name]).max()
        assert np.abs(array - expected[name]).max() <= 1e-5 * largest, name
