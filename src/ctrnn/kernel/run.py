"""Rates, losses and gradients of whole populations: (network, slice of 32 trials) jobs spread over threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn.kernel.library import LANES, Floats, SliceC, address, library, workspace
from ctrnn.kernel.prepared import Effective, PreparedNetwork, floats, slopes_by_parameter

NAMES = frozenset({"W_in", "W_rec", "b_rec", "W_out", "b_out"})
# What the gradient of a parameter is made of: by way of gain the first three.
OF_PARAMETERS = frozenset({"W_rec", "W_in", "b_rec", "p", "noise", "start"})


@dataclass(frozen=True)
class ForwardJob:
    """A network to be run.

    weights: W_in [unit, channel], W_rec [post, pre], b_rec [unit], W_out [output, unit], b_out [output]. inputs:
    [time, trial, channel], each of which makes one step. key: names the noise, None for none. x0: [trial, unit], the
    x to begin with, None for 0. parameters: [unit] by name, in the place of the network's, as training changed them.
    """

    network: PreparedNetwork
    weights: Mapping[str, Floats]
    inputs: Floats
    key: int | None = None
    x0: Floats | None = None
    want_rates: bool = True
    want_x: bool = False
    parameters: Mapping[str, Floats] | None = None


@dataclass(frozen=True)
class TrainJob:
    """A network to be differentiated.

    Beside what ForwardJob has: targets [time, trial, output]; mask [time, trial, output], where the loss counts (bool
    or weights); slopes [time, trial, output]: of a loss by the outputs, in the place of the squared error's, which
    follow from targets and mask; trainable: the weights and parameters whose gradients are to be returned.
    """

    network: PreparedNetwork
    weights: Mapping[str, Floats]
    inputs: Floats
    targets: Floats
    mask: NDArray[np.bool_] | Floats
    key: int | None = None
    rate_penalty: float = 0.0
    trainable: frozenset[str] = NAMES
    parameters: Mapping[str, Floats] | None = None
    slopes: Floats | None = None


def forward(jobs: Sequence[ForwardJob], threads: int) -> list[tuple[Any, ...]]:
    """(rates [time, trial, unit], outputs [time, trial, output]) of every job; (rates, outputs, x) where it wants x.

    rates are r_t = f(x_t) + s_post eta_t, what the readout sees, None where not wanted; t = 1 .. T.
    """
    results: list[tuple[Any, ...]] = []
    work = []
    for job in jobs:
        net = Effective(job.network, job.weights, job.parameters)
        T, trials, inputs = _inputs(net, job.inputs)
        n = job.network.n_units
        x0 = None if job.x0 is None else floats("x0", job.x0, (trials, n))
        rates = np.empty((T, trials, n), np.float32) if job.want_rates else None
        x = np.empty((T, trials, n), np.float32) if job.want_x else None
        z = np.empty((T, trials, net.outputs), np.float32)
        results.append((rates, z, x) if job.want_x else (rates, z))
        for s in range(_slices(trials)):
            part = SliceC(
                T=T, trials=trials, slice=s, inputs=address(inputs), x0=address(x0),
                rates=address(rates), x=address(x), z=address(z), **_noise(job.key),
            )  # fmt: skip
            work.append(_call("ctrnn_forward", net, part, 0, (inputs, x0)))
    _run(work, threads)
    return results


def loss_and_gradients(
    jobs: Sequence[TrainJob], threads: int
) -> list[tuple[float, dict[str, Floats]]]:
    """(loss, {name: gradient}) of every job, gradients float32 in the shape of the weights; of parameters [unit].

    loss = sum(mask (z - y)^2) / sum(mask) + rate_penalty mean(r^2); of a job with slopes, the second term alone.
    W_rec's gradient is 0 off the pattern. A loss or a gradient that is not finite is returned as it comes. The number
    of threads changes no bit.
    """
    begun = [_Gradients(job) for job in jobs]
    _run([call for gradients in begun for call in gradients.work], threads)
    return [gradients.result() for gradients in begun]


def noise(network: PreparedNetwork, key: int, T: int, n_trials: int) -> tuple[Floats, Floats]:
    """The standard normals (xi, eta), each [time, trial, unit], that both functions above use with this key."""
    xi, eta = (np.empty((T, n_trials, network.n_units), np.float32) for _ in range(2))
    for s in range(_slices(n_trials)):
        part = SliceC(T=T, trials=n_trials, slice=s, **_noise(key))
        library().ctrnn_noise(byref(part), network.n_units, address(xi), address(eta))
    return xi, eta


class _Gradients:
    """One job on its way: its slices' work, and then the sum of what they found."""

    def __init__(self, job: TrainJob) -> None:
        self.parameters = job.trainable - NAMES
        parameters = set(job.network.parameters) - {"dt"}
        if unknown := self.parameters - parameters:
            raise ValueError(
                f"trainable = {sorted(unknown)} are neither weights nor parameters; give some of "
                f"{sorted(NAMES | parameters)}."
            )
        self.job, self.net = job, Effective(job.network, job.weights, job.parameters)
        T, trials, inputs = _inputs(self.net, job.inputs)
        shape = (T, trials, self.net.outputs)
        if job.slopes is None:
            targets, mask = floats("targets", job.targets, shape), floats("mask", job.mask, shape)
            self.total = library().ctrnn_sum(address(mask), mask.size)
        else:
            targets, mask, self.total = None, floats("slopes", job.slopes, shape), 1.0
        n = job.network.n_units
        self.n_rates = T * trials * n
        sizes = {
            "W_rec": job.network.tiles.source.size,
            "W_in": n * self.net.channels,
            "b_rec": n,
            "W_out": self.net.outputs * n,
            "b_out": self.net.outputs,
            "p": n * len(parameters),
            "noise": n,
            "start": n * self.net.library.ctrnn_states(),
        }
        slices = _slices(trials)
        self.losses = np.empty((slices, 2), np.float64)
        needed = (NAMES & job.trainable) | (OF_PARAMETERS if self.parameters else frozenset())
        self.parts = {name: np.empty((slices, sizes[name]), np.float32) for name in needed}
        places = {"W_rec": "dA", "W_in": "dB", "b_rec": "dc", "W_out": "dW_out", "b_out": "db_out"}
        places |= {name: f"d{name}" for name in ("p", "noise", "start")}
        self.work = []
        for s in range(slices):
            part = SliceC(
                T=T, trials=trials, slice=s, inputs=address(inputs), targets=address(targets), mask=address(mask),
                scale=1 / self.total if self.total else float("nan"), rate_penalty=job.rate_penalty / self.n_rates,
                loss=address(self.losses[s]), **_noise(job.key),
                **{places[name]: address(array[s]) for name, array in self.parts.items()},
            )  # fmt: skip
            kept = (inputs, targets, mask)
            self.work.append(
                _call("ctrnn_gradients", self.net, part, T, kept, bool(self.parameters))
            )

    def result(self) -> tuple[float, dict[str, Floats]]:
        squares, rates_squared = (float(_in_order(self.losses)[i]) for i in range(2))
        loss = squares / self.total if self.total else float("nan")
        loss += self.job.rate_penalty * rates_squared / self.n_rates
        sums = {name: _in_order(array) for name, array in self.parts.items()}
        gain, made = self.net.gain, self._by_parameter(sums) if self.parameters else {}
        for name, d in sums.items():
            if name not in self.job.trainable:
                continue
            if name == "W_rec":
                made[name] = self.net.gradient(d)
            elif name == "W_in":
                made[name] = gain[:, None] * d.reshape(-1, self.net.channels)
            elif name == "b_rec":
                made[name] = gain * d
            else:
                made[name] = d.reshape(np.shape(self.job.weights[name]))
        return loss, made

    def _by_parameter(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        """Gradients by the parameters that are trained, each by way of coefficients, gain, noise and start."""
        n = self.job.network.n_units
        of_gain = self.net.by_gain(sums["W_rec"], sums["W_in"], sums["b_rec"], self.job.weights)
        by_factor = [of_gain, sums["noise"], *sums["start"].reshape(n, -1).T]
        slopes = slopes_by_parameter(self.net.library, self.net.parameters)
        by_coefficients = dict(zip(slopes, sums["p"].reshape(n, -1).T, strict=True))
        return {
            name: sum(
                (d * slope for d, slope in zip(by_factor, slopes[name], strict=True)),
                by_coefficients[name].astype(np.float64),
            ).astype(np.float32)
            for name in sorted(self.parameters)
        }


def _in_order(parts: NDArray[Any]) -> NDArray[Any]:
    """The sum over slices, one after the other."""
    total: NDArray[Any] = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def _inputs(net: Effective, inputs: Floats) -> tuple[int, int, Floats]:
    if np.ndim(inputs) != 3:
        raise ValueError(
            f"inputs have shape {list(np.shape(inputs))}; give [time, trial, channel]."
        )
    T, trials, _ = np.shape(inputs)
    return T, trials, floats("inputs", inputs, (T, trials, net.channels))


def _slices(trials: int) -> int:
    return -(-trials // LANES)


def _noise(key: int | None) -> dict[str, int]:
    return {"noisy": 0, "key": 0} if key is None else {"noisy": 1, "key": int(key) % 2**64}


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _call(
    name: str,
    net: Effective,
    part: SliceC,
    T: int,
    kept: tuple[object, ...],
    parameters: bool = False,
) -> Callable[[], None]:
    """A call of the kernel for one slice, in whatever thread; `kept` are the arrays that `part` points into."""
    lib = net.library

    def call(_kept: tuple[object, ...] = kept) -> None:
        scratch = workspace(lib.ctrnn_workspace(byref(net.c), T, parameters))
        part.workspace = address(scratch)
        getattr(lib, name)(byref(net.c), byref(part))

    return call


def _run(work: list[Callable[[], None]], threads: int) -> None:
    if threads == 1 or len(work) == 1:
        for call in work:
            call()
    else:
        for done in [_pool(threads).submit(call) for call in work]:
            done.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ctrnn")


if hasattr(os, "register_at_fork"):  # a forked child has the pool but none of its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
