"""Fixed points of trained networks, found by this project and by FixedPointFinder from the same states.

    PYTHONPATH=src python benchmarks/fixed_point_finder.py CHECKOUT

CHECKOUT is a clone of github.com/mattgolub/fixed-point-finder (Golub & Sussillo 2018, J Open Source Softw 3:1003); it
is no package. Both minimise q to the same tolerance from the same states: visited ones, and some around each point that
this project finds. A point counts as found by the other side where that has one closer than the merge distance, with as
many unstable directions. Networks are those of artifacts/train. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ctrnn import params, tasks
from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.fixed_points import visited_states
from ctrnn.analysis.points import distinct, search
from ctrnn.core import artifacts
from ctrnn.core.rng import generator
from ctrnn.network import read_population

TASKS = ("mante", "dmts")
TOLERANCE = 1e-9  # of FixedPointFinder's q, half the squared length of a step of the network
APART = 0.01  # of the visited region's radius: points closer than this are the same
NEAR = 0.05  # of that radius: how far from each of our points further starts lie
VISITED = 16  # starts among the visited states; gradient descent on q gets stuck from most of them
TOGETHER = 4  # starts that share FixedPointFinder's optimiser, whose rate falls for all once one of them is stuck
LEARNING_RATE = 0.1  # of its Adam
ITERATIONS = 4000


class Step(torch.nn.Module):
    """One noise-free time step of a network in the form of torch's recurrent layers, state x, float64."""

    batch_first = False

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__()
        arrays = {name: getattr(dynamics, name) for name in ("W", "W_in", "b_rec", "alpha")}
        self.arrays = torch.nn.ParameterDict(
            {name: torch.nn.Parameter(torch.from_numpy(array)) for name, array in arrays.items()}
        )
        self.f = torch.sigmoid if dynamics.activation == "sigmoid" else torch.relu

    def forward(self, inputs: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """inputs [1, trial, channel], x [1, trial, unit]; the next x, twice."""
        own = self.arrays
        drive = self.f(x) @ own["W"].T + inputs @ own["W_in"].T + own["b_rec"]
        moved = x + own["alpha"] * (drive - x)
        return moved, moved


@dataclass
class Found:
    """Distinct points, and how many directions are unstable at each."""

    x: np.ndarray
    unstable: np.ndarray

    def seen_by(self, other: Found, radius: float) -> int:
        """Number of these points that the other side has too, with the same unstable directions."""
        distances = np.linalg.norm(self.x[:, None] - other.x[None], axis=2).reshape(len(self.x), -1)
        near = distances <= radius
        return int((near & (self.unstable[:, None] == other.unstable[None])).any(axis=1).sum())


def ours(dynamics: Dynamics, inputs: np.ndarray, starts: np.ndarray, radius: float) -> Found:
    """Points by `ctrnn.analysis.points.search`, without the second search between stable points."""
    tolerance = TOLERANCE / dynamics.per_tau**2  # q of F per tau
    ended = search(dynamics, inputs, starts, [tolerance], 100)
    x = ended.x[ended.q <= tolerance]
    return unique(dynamics, x, radius)


def theirs(
    finder: Any, dynamics: Dynamics, inputs: np.ndarray, starts: np.ndarray, radius: float
) -> Found:
    """Points by FixedPointFinder, some starts at a time."""
    search_with = finder(
        Step(dynamics), lr_init=LEARNING_RATE, tol_q=TOLERANCE, max_iters=ITERATIONS, dtype="float64",
        do_compute_jacobians=False, verbose=False,
    )  # fmt: skip
    kept = []
    for group in np.array_split(starts, -(-len(starts) // TOGETHER)):
        with contextlib.redirect_stdout(io.StringIO()):
            points, _ = search_with.find_fixed_points(group, inputs[None])
        kept.append(points.xstar[points.qstar <= TOLERANCE])
    return unique(dynamics, np.concatenate(kept), radius)


def unique(dynamics: Dynamics, x: np.ndarray, radius: float) -> Found:
    """Points merged within the radius, with their unstable directions."""
    x = x[distinct(x, dynamics.outputs(x)[:, 0], radius)[0]]
    sizes = np.abs([np.linalg.eigvals(J) for J in dynamics.map_jacobian(x)]).reshape(len(x), -1)
    return Found(x, (sizes > 1).sum(axis=1))


def main(checkout: Path) -> None:
    """Compare on every network and constant input of the tasks, and print the table."""
    sys.path.insert(0, str(checkout))
    from FixedPointFinderTorch import FixedPointFinderTorch

    settings = params.read()
    print("| task | network | input | ours | theirs | ours that they find | theirs that we find |")
    print("|---|---|---|---|---|---|---|")
    totals = np.zeros(4, int)
    for name in TASKS:
        task = tasks.get_task(name, settings.tasks, settings.network.dt)
        test = tasks.read_test(artifacts.folder("generate", name))
        networks = read_population(artifacts.folder("train", name), settings.train.n_networks)
        for i, (network, seed) in enumerate(zip(networks, settings.network_seeds, strict=True)):
            dynamics = dynamics_of(network)
            for epoch in task.constant_inputs():
                random = generator(seed, "analyze", "fixed_points", epoch.name)
                visited = visited_states(dynamics, epoch, test, task.steps.stim_on, random)
                n_starts = settings.analyze.fixed_points.starts
                starts = visited[random.choice(len(visited), n_starts, replace=False)]
                inputs = np.array(epoch.inputs)
                region = float(np.sqrt(visited.var(axis=0).sum()))
                reference = ours(dynamics, inputs, starts, APART * region).x
                far = NEAR * region / np.sqrt(reference.shape[1])
                near = [x + far * random.standard_normal((TOGETHER, len(x))) for x in reference]
                starts = np.concatenate([starts[:VISITED], *near])
                mine = ours(dynamics, inputs, starts, APART * region)
                other = theirs(FixedPointFinderTorch, dynamics, inputs, starts, APART * region)
                radius = APART * region
                row = [
                    len(mine.x),
                    len(other.x),
                    mine.seen_by(other, radius),
                    other.seen_by(mine, radius),
                ]
                totals += row
                print(
                    f"| {name} | {i} | {epoch.name} | " + " | ".join(map(str, row)) + " |",
                    flush=True,
                )
    print("| all | | | " + " | ".join(map(str, totals)) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a clone of FixedPointFinder")
    with threadpool_limits(1, "blas"):
        torch.set_num_threads(1)
        main(parser.parse_args().checkout)
