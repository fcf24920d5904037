"""What the time step changes, and what training at a coarse one first saves.

Networks are trained one at a time on one thread, each pair of variants in turn, so that the state of the machine is the
same for both. `--only steps` trains at dt 0.5, 1 and 2 ms, `--only coarse` with `train.coarse_dt` auto and null, and
`--only slow` does the latter at tau = 100 ms. `--only published` trains mante with the times of Song, Yang & Wang
(2016). Writes reports/benchmarks/time_steps_<which>.{json,md}.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record
from ctrnn import params, tasks
from ctrnn.analysis import fixed_points, psychometric
from ctrnn.analysis.analyze import same_blas
from ctrnn.analysis.dynamics import dynamics_of
from ctrnn.analysis.recording import Recording
from ctrnn.network import Network, Trials, get_backend
from ctrnn.params import Params, dialect
from ctrnn.sweep.plan import changed
from ctrnn.training.loop import train

TASKS = ("go_nogo", "dmts", "mante", "xor")
# Times of the shipped tasks that are odd, and tests at them: 2 ms must fit.
EVEN = {
    "tasks.go_nogo.stim_dur": 24,
    "tasks.go_nogo.response_dur": 24,
    "analyze.generalisation.delay": [0, 10],
}
# Of the context-dependent task of Song, Yang & Wang (2016, PLoS Comput Biol 12:e1004792), as their program trains it
# (frsong/pycog, examples/models/mante.py of 3 March 2016): fixation 100 ms, stimulus 800 ms, decision 300 ms.
PUBLISHED = {
    "network.dt": 10,
    "network.tau": 100,
    "tasks.mante.T": 1200,
    "tasks.mante.stim_on": 100,
    "tasks.mante.stim_dur": 800,
    "tasks.mante.response_dur": 300,
}
Row = dict[str, Any]


def settings(task: str, changes: dict[str, Any]) -> Params:
    """params.yaml with changes, but for those of other tasks, one task and one network."""
    own = {key: value for key, value in changes.items() if task in key or "tasks." not in key}
    raw = changed(dialect.read("params.yaml"), {"train.n_networks": 1, "train.threads": 1, **own})
    raw["tasks"] = {task: raw["tasks"][task]}
    return params.check(raw)


def trained(name: str, seed: int, changes: dict[str, Any]) -> tuple[Row, Network]:
    """Train a network: seconds of processor time, iterations, accuracy on test trials; and the network."""
    chosen = settings(name, {**changes, "seed": seed})
    task, backend = tasks.get_task(name, chosen.tasks, chosen.network.dt), get_backend(chosen.train)
    taught, validation, test = (
        tasks.trial_table(task, split, seed) for split in ("train", "validation", "test")
    )
    with tempfile.TemporaryDirectory() as store:
        began = time.process_time()
        (state,) = train(
            task, taught, validation, seed, chosen.network, chosen.train, backend, Path(store)
        )
        seconds = time.process_time() - began
    batch = task.render(test)
    (outputs,) = backend.outputs([state.network], [Trials(batch.inputs, seed)])
    row = {
        "task": name,
        "seed": seed,
        "cpu_s": seconds,
        "converged": state.converged,
        "iterations": state.iteration,
        "fine": sum(row["dt"] == chosen.network.dt for row in state.history),
        "accuracy": float(task.score(outputs, batch.conditions).correct.mean()),
    }
    return row, state.network


def spread_of_x(network: Network, dt: float, trials: int = 64) -> float:
    """Standard deviation of x over trials without input, at another time step, mean over units."""
    dynamics = dynamics_of(Network(network.wiring.at(dt), network.weights))
    silent = np.zeros((round(300 / dt), trials, dynamics.W_in.shape[1]))
    x = dynamics.simulate(silent, random=np.random.default_rng(0))
    return float(np.sqrt(x[round(100 / dt) :: round(20 / dt)].var(axis=1).mean()))


def steps(n: int) -> tuple[list[Row], str]:
    """The same experiment at three time steps."""
    rows, lines = [], [
        "| task | dt, ms | converged | iterations | accuracy | sd of x of the network trained at 1 ms, run at dt |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name in TASKS:
        of_task: dict[float, list[Row]] = {0.5: [], 1: [], 2: []}
        sd: dict[float, list[float]] = {dt: [] for dt in of_task}
        for seed in range(1, n + 1):
            for dt, own in of_task.items():
                row, network = trained(
                    name, seed, {**EVEN, "network.dt": dt, "train.coarse_dt": None}
                )
                own.append({"dt": dt, **row})
                if dt == 1:
                    for other, measured in sd.items():
                        measured.append(spread_of_x(network, other))
        for dt, own in of_task.items():
            rows += [{**row, "sd_of_x": value} for row, value in zip(own, sd[dt], strict=True)]
            lines.append(
                f"| {name} | {dt:g} | {sum(row['converged'] for row in own)} of {n} "
                f"| {pm([row['iterations'] for row in own], '.0f')} | {pm([row['accuracy'] for row in own], '.4f')} "
                f"| {pm(sd[dt], '.4f')} |"
            )
    return rows, "\n".join(lines) + "\n"


def published(n: int) -> tuple[list[Row], str]:
    """Mante with published times, at dt = 10 ms and tau = 100 ms."""
    rows = [trained("mante", seed, PUBLISHED)[0] for seed in range(1, n + 1)]
    return rows, (
        "| task | settings | converged | iterations | accuracy | cpu, s |\n|---|---|---|---|---|---|\n"
        f"| mante | {', '.join(f'{key} {value}' for key, value in PUBLISHED.items())} "
        f"| {sum(row['converged'] for row in rows)} of {n} | {pm([row['iterations'] for row in rows], '.0f')} "
        f"| {pm([row['accuracy'] for row in rows], '.4f')} | {pm([row['cpu_s'] for row in rows], '.1f')} |\n"
    )


def coarse(n: int, changes: dict[str, Any]) -> tuple[list[Row], str]:
    """Training with and without a coarse time step, in turn; of mante, the mechanism of both populations."""
    rows, lines = [], [
        "| task | cpu, off, s | cpu, coarse first, s | times less (quartiles) | iterations, off | coarse + fine | accuracy, off | coarse first | difference, 95% interval |",  # noqa: E501
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    mechanism = []
    for name in TASKS:
        pairs: list[tuple[Row, Row]] = []
        networks: dict[str, list[Network]] = {"off": [], "coarse first": []}
        for seed in range(1, n + 1):
            off, off_network = trained(name, seed, {**changes, "train.coarse_dt": None})
            first, first_network = trained(name, seed, {**changes, "train.coarse_dt": "auto"})
            pairs.append((off, first))
            networks["off"].append(off_network)
            networks["coarse first"].append(first_network)
        rows += [
            {"coarse_dt": which, **row}
            for pair in pairs
            for which, row in zip((None, "auto"), pair, strict=True)
        ]
        low, middle, high = statistics.quantiles([a["cpu_s"] / b["cpu_s"] for a, b in pairs], n=4)
        apart = [b["accuracy"] - a["accuracy"] for a, b in pairs]
        lines.append(
            f"| {name} | {median(pairs, 0, 'cpu_s'):.2f} | {median(pairs, 1, 'cpu_s'):.2f} "
            f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {pm([a['iterations'] for a, _ in pairs], '.0f')} "
            f"| {pm([b['iterations'] - b['fine'] for _, b in pairs], '.0f')} "
            f"+ {pm([b['fine'] for _, b in pairs], '.0f')} "
            f"| {pm([a['accuracy'] for a, _ in pairs], '.4f')} | {pm([b['accuracy'] for _, b in pairs], '.4f')} "
            f"| {interval(apart)} |"
        )
        if name == "mante":
            mechanism = opened(networks, changes)
    return rows, "\n".join([*lines, "", *mechanism]) + "\n"


@same_blas()
def opened(networks: dict[str, list[Network]], changes: dict[str, Any]) -> list[str]:
    """Fixed points, selection and psychometric slopes of two populations of mante, as a table."""
    chosen = settings("mante", changes)
    task, backend = (
        tasks.get_task("mante", chosen.tasks, chosen.network.dt),
        get_backend(chosen.train),
    )
    test = task.render(tasks.trial_table(task, "test", chosen.seed))
    table: dict[str, list[str]] = {}
    for which, population in networks.items():
        recording = Recording(
            task, test, population, population, chosen.seed, chosen.analyze, backend
        )
        points = fixed_points.compute(recording)[1]
        slopes = psychometric.compute(recording)[1]["psychometric_slope"]
        both = [points["fixed_points"][epoch.name] for epoch in task.constant_inputs()]
        table[which] = [
            *(pm([x for epoch in both for x in epoch[kind]], ".2f") for kind in ("stable", "saddle", "slow")),
            pm([r for ratios in points["selection_ratio"].values() for r in ratios if r], ".1f"),
            *(pm(slopes[kind], ".1f") for kind in ("relevant", "irrelevant")),
        ]  # fmt: skip
    return [
        "| mante | stable points a context | saddles | slow points | selection ratio | slope, relevant | irrelevant |",
        "|---|---|---|---|---|---|---|",
        *(f"| {which} | {' | '.join(cells)} |" for which, cells in table.items()),
    ]


def median(pairs: list[tuple[Row, Row]], which: int, key: str) -> float:
    """Median over networks."""
    return float(statistics.median(pair[which][key] for pair in pairs))


def pm(values: Sequence[float], form: str) -> str:
    """Mean and standard deviation."""
    return f"{statistics.mean(values):{form}} ± {statistics.stdev(values):{form}}"


def interval(differences: Sequence[float]) -> str:
    """Student's interval of a mean of paired differences."""
    from scipy.stats import t

    n = len(differences)
    half = t.ppf(0.975, n - 1) * statistics.stdev(differences) / np.sqrt(n)
    middle = statistics.mean(differences)
    return f"{middle:+.4f} [{middle - half:+.4f}, {middle + half:+.4f}]"


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("steps", "coarse", "slow", "published"), required=True)
    parser.add_argument("--networks", type=int, default=10)
    chosen = parser.parse_args()
    if chosen.only == "steps":
        rows, text = steps(chosen.networks)
    elif chosen.only == "published":
        rows, text = published(chosen.networks)
    else:
        rows, text = coarse(chosen.networks, {"network.tau": 100} if chosen.only == "slow" else {})
    record.write(f"time_steps_{chosen.only}", rows, text)
    print(text)


if __name__ == "__main__":
    main()
