"""Contenders of the training step's benchmark. Each is a function that prepares one step and returns it to be called.

One step: forward, loss (mean squared error over all of time) and gradients of W_rec, W_out and b_out of one network,
with both noises drawn anew and without the optimiser. Each runs in a process of its own:
`python benchmarks/contenders.py NAME '{"T": 500}'` (a Size as JSON) answers each line of its input with one step's
cost.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Step = Callable[[], Any]
CHANNELS, OUTPUTS = 4, 1
WANTED = frozenset({"W_rec", "W_out", "b_out"})


@dataclass(frozen=True)
class Size:
    """What a step is made of; the shipped settings where nothing else is said."""

    T: int = 500
    n: int = 200
    trials: int = 64
    threads: int = 1
    density: float = 0.2
    networks: int = 1
    model: str = "rate"  # of the backends; the other contenders know no other


def problem(size: Size) -> tuple[list[Any], list[Any]]:
    """Networks of the project's settings, and random trials to train each on."""
    from ctrnn import params
    from ctrnn.network.backends import SupervisedTrials
    from ctrnn.network.initialise import initialise

    changed = {"n_units": size.n, "p_rec": size.density, "model": size.model}
    settings = params.read("params.yaml").network
    settings = type(settings)(**{**settings.model_dump(), **changed, "parameters": {}})
    rng = np.random.default_rng(0)
    batch = SupervisedTrials(
        inputs=rng.standard_normal((size.T, size.trials, CHANNELS)).astype(np.float32),
        noise=1,
        targets=rng.standard_normal((size.T, size.trials, OUTPUTS)).astype(np.float32),
        mask=np.ones((size.T, size.trials, OUTPUTS), bool),
    )
    networks = [initialise(settings, CHANNELS, OUTPUTS, seed=1 + i) for i in range(size.networks)]
    return networks, [batch] * size.networks


def native(size: Size) -> Step:
    from ctrnn.network.native_backend import NativeBackend

    networks, batches = problem(size)
    backend = NativeBackend(size.threads)
    return lambda: backend.loss_and_gradients(networks, batches, WANTED)


def torch(size: Size) -> Step:
    from ctrnn.network.torch_backend import TorchBackend

    networks, batches = problem(size)
    backend = TorchBackend("cpu")
    return lambda: backend.loss_and_gradients(networks, batches, WANTED)


def loop(size: Size) -> Step:
    """Autograd through a Python loop, W_eff made anew at every step, as the tutorial's layer does."""
    import torch

    (network,), (batch,) = problem(size)
    trials, n = size.trials, size.n
    w = {name: torch.tensor(a, requires_grad=name in WANTED) for name, a in network.weights.items()}
    wiring, p = network.wiring, network.parameters
    mask, sign, alpha, s_pre = (
        torch.tensor(np.asarray(a, np.float32))
        for a in (wiring.mask, wiring.sign, p["dt"] / p["tau"], p["sigma"])
    )
    inputs, targets = torch.tensor(batch.inputs), torch.tensor(batch.targets)

    def step() -> None:
        x = torch.zeros(trials, n)
        r, outputs = torch.sigmoid(x), []
        for u in inputs:
            W = torch.relu(w["W_rec"]) * mask * sign
            drive = r @ W.T + u @ w["W_in"].T + w["b_rec"]
            x = (1 - alpha) * x + alpha * drive + s_pre * torch.randn(trials, n)
            r = torch.sigmoid(x) + 0.01 * torch.randn(trials, n)
            outputs.append(r @ w["W_out"].T + w["b_out"])
        torch.nn.functional.mse_loss(torch.stack(outputs), targets).backward()

    return step


def torch_rnn(size: Size) -> Step:
    """torch.nn.RNN: no leak, no noise, no Dale; the library's own speed limit."""
    import torch

    T, n, trials = size.T, size.n, size.trials
    rnn, readout = torch.nn.RNN(CHANNELS, n), torch.nn.Linear(n, OUTPUTS)
    inputs, targets = torch.randn(T, trials, CHANNELS), torch.randn(T, trials, OUTPUTS)
    return lambda: torch.nn.functional.mse_loss(readout(rnn(inputs)[0]), targets).backward()


def jax(size: Size) -> Step:
    """jit and scan, noise from JAX's own generator."""
    import jax
    import jax.numpy as jnp

    (network,), (batch,) = problem(size)
    T, n, trials = size.T, size.n, size.trials
    w, wiring = {k: jnp.asarray(a) for k, a in network.weights.items()}, network.wiring
    p = wiring.parameters
    alpha, s_pre = jnp.asarray(p["dt"] / p["tau"]), jnp.asarray(p["sigma"])
    inputs, targets = jnp.asarray(batch.inputs), jnp.asarray(batch.targets)

    def loss(trained: dict[str, Any], key: Any) -> Any:
        all_w = {**w, **trained}
        W = jax.nn.relu(all_w["W_rec"]) * wiring.mask * wiring.sign

        def one(state: tuple[Any, Any], now: tuple[Any, Any]) -> tuple[tuple[Any, Any], Any]:
            (x, r), (u, key) = state, now
            xi, eta = jax.random.normal(key, (2, trials, n))
            x = (1 - alpha) * x + alpha * (r @ W.T + u @ w["W_in"].T + w["b_rec"]) + s_pre * xi
            r = jax.nn.sigmoid(x) + 0.01 * eta
            return (x, r), r @ all_w["W_out"].T + all_w["b_out"]

        start = (jnp.zeros((trials, n)), jnp.full((trials, n), 0.5))
        outputs = jax.lax.scan(one, start, (inputs, jax.random.split(key, T)))[1]
        return jnp.mean((outputs - targets) ** 2)

    gradient = jax.jit(jax.value_and_grad(loss))
    trained, key = {name: w[name] for name in WANTED}, jax.random.PRNGKey(0)
    return lambda: jax.block_until_ready(gradient(trained, key))


def nn4n(size: Size) -> Step:
    """CTRNN of the package NN4N, both noises on."""
    import torch
    from nn4n.model import CTRNN

    model = CTRNN(
        dims=[CHANNELS, size.n, OUTPUTS],
        preact_noise=0.01,
        postact_noise=0.01,
        activation="sigmoid",
        tau=20,
        dt=1,
    )
    inputs = torch.randn(size.T, size.trials, CHANNELS)
    targets = torch.randn(size.T, size.trials, OUTPUTS)
    return lambda: torch.nn.functional.mse_loss(model(inputs)[0], targets).backward()


CONTENDERS = {c.__name__: c for c in (loop, native, torch, torch_rnn, jax, nn4n)}


def main(name: str, size: Size) -> None:
    """Serve steps: one line in, one line of JSON out; the first line out says whether the contender is there."""
    if name != "native":
        import torch

        torch.set_num_threads(size.threads)
    try:
        step = CONTENDERS[name](size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        step()
    except ImportError as missing:
        print(json.dumps({"missing": str(missing)}), flush=True)
        return
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        cost = {
            "cpu_ms": 1e3 * (time.process_time() - cpu),
            "wall_ms": 1e3 * (time.perf_counter() - wall),
        }
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps({**cost, "peak_mb": peak}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("size", type=json.loads)
    given = parser.parse_args()
    main(given.name, Size(**given.size))
