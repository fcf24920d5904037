"""What trained networks do inside, over settings: trains and analyses populations, fills a page of docs/.

    PYTHONPATH=src:. python -m experiments.mechanism [--only "w_gain 1" ...]

Numbers go to experiments/mechanism.json, tables into the places of docs/explanation/mechanism.md that are marked
for them. Settings are those of params.yaml but for what VARIANTS changes. Training goes on from its
checkpoints where there are some.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.record import measured_on
from ctrnn import params as settings
from ctrnn import tasks
from ctrnn.analysis.analyze import analyze
from ctrnn.analysis.dynamics import dynamics_of
from ctrnn.analysis.fixed_points import point_metrics, portraits
from ctrnn.analysis.generalisation import generalisation
from ctrnn.analysis.recording import Recording
from ctrnn.core.artifacts import rounded
from ctrnn.network import Network, Trials, get_backend
from ctrnn.params import Params, dialect
from ctrnn.sweep.plan import changed
from ctrnn.tasks import Batch, Task, trial_table
from ctrnn.training.loop import train
from experiments.portraits import both, saddle_values, selection_at_saddles, span, verdicts

PAGE, NUMBERS = Path("docs/explanation/mechanism.md"), Path("experiments/mechanism.json")
FOREVER = {"train.stop_criterion": "loss", "train.loss_criterion": 1e-30}  # until max_iterations
VARIANTS: dict[str, dict[str, Any]] = {
    "as shipped": {"train.n_networks": 10},
    "w_gain 0.5": {"network.w_gain": 0.5},
    "w_gain 1": {"network.w_gain": 1.0},
    "w_gain 2": {"network.w_gain": 2.0},
    "w_gain 2.5": {"network.w_gain": 2.5},
    "500 iterations": {**FOREVER, "train.max_iterations": 500},
    "evidence 0.25": {"tasks.mante.evidence": [0.25]},
    "evidence 0.05 to 0.5": {
        "tasks.mante.evidence": [0.05, 0.1, 0.2, 0.5],
        **FOREVER,
        "train.max_iterations": 500,
    },
    "p_inh 0.1": {"network.p_inh": 0.1},
    "p_inh 0.5": {"network.p_inh": 0.5},
    "tau 10": {"network.tau": 10},
    "tau 50": {"network.tau": 50},
}
MEMORY = ("dmts", "xor")
AFTER = (
    10,
    50,
    100,
    200,
    400,
)  # steps of 1 ms after the first pulse at which its trace is measured


def main(n_networks: int, only: list[str]) -> None:
    """Run the variants named, or everything, and write both files; the numbers of other variants stay."""
    earlier: dict[str, Any] = (
        json.loads(NUMBERS.read_text()) if only else {"memory": {}, "made_at": {}}
    )
    numbers: dict[str, Any] = {
        "mante": {},
        "memory": earlier["memory"],
        "made_at": earlier["made_at"],
    }
    for name, changes in VARIANTS.items():
        if only and name not in only:
            numbers["mante"][name] = earlier["mante"][name]
        else:
            numbers["mante"][name] = mante({"train.n_networks": n_networks, **changes}, name)
            numbers["made_at"][name] = measured_on()["commit"]
    for name in () if only else MEMORY:
        numbers["memory"][name] = memory(name)
        numbers["made_at"][name] = measured_on()["commit"]
    numbers = rounded(numbers, 4)
    NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    page = PAGE.read_text(encoding="utf-8")
    tables = {"made": made_line, "mante": mante_table, "checks": checks_table, "points": points_table,
              "lesions": lesion_table, "memory": memory_table}  # fmt: skip
    for name, table in tables.items():
        marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
        block = "\n".join([marks[0], *table(numbers), marks[1]])
        before, _, rest = page.partition(marks[0])
        page = before + block + rest.partition(marks[1])[2]
    PAGE.write_text(page, encoding="utf-8")


def with_changes(changes: dict[str, Any], only: str) -> Params:
    """params.yaml with changes by dotted key, and one task."""
    raw = changed(dialect.read("params.yaml"), changes)
    raw["tasks"] = {only: raw["tasks"][only]}
    return settings.check(raw)


def trained(params: Params, name: str) -> tuple[Task[Any], Batch, list[Network], dict[str, Any]]:
    """The task, its test trials, the networks, and how well they answer."""
    task, backend = tasks.get_task(name, params.tasks, params.network.dt), get_backend(params.train)
    tables = {
        split: trial_table(task, split, params.seed) for split in ("train", "validation", "test")
    }
    done = train(
        task,
        tables["train"],
        tables["validation"],
        params.seed,
        params.network,
        params.train,
        backend,
    )
    networks, test = [state.network for state in done], task.render(tables["test"])
    outputs = backend.outputs(
        networks, [Trials(test.inputs, seed) for seed in params.network_seeds]
    )
    accuracy = [float(task.score(z, test.conditions).correct.mean()) for z in outputs]
    return (
        task,
        test,
        networks,
        {"iterations": [state.iteration for state in done], "accuracy": accuracy},
    )


def mante(changes: dict[str, Any], name: str) -> dict[str, Any]:
    """Fixed points of a population in both contexts; the whole analysis for the shipped settings."""
    params = with_changes(changes, "mante")
    task, test, networks, result = trained(params, "mante")
    if name == "as shipped":
        backend = get_backend(params.train)
        recording = Recording(task, test, networks, networks, params.seed, params.analyze, backend)
        whole = analyze(recording).metrics
        kept = (
            "fixed_points",
            "selection_ratio",
            "psychometric_slope",
            "late_selection",
            "lesions",
        )
        return result | {key: whole[key] for key in kept}
    return result | points(task, test, networks, params)


def points(task: Task[Any], test: Batch, networks: list[Network], params: Params) -> dict[str, Any]:
    """Counts of fixed points, as in reports/analyze/<task>.json."""
    with threadpool_limits(1, "blas"):
        each = portraits(task, test, networks, params.network_seeds, params.analyze.fixed_points)
    return point_metrics(each, task.constant_inputs(), task)


def memory(name: str) -> dict[str, Any]:
    """Fixed points without input, accuracy by delay, and how long the first pulse's trace lasts without a second."""
    params = with_changes({"train.n_networks": 10}, name)
    task, test, networks, result = trained(params, name)
    outside = params.analyze.generalisation
    backend = get_backend(params.train)
    curves = generalisation(task, networks, params.network_seeds, params.seed, outside, backend)
    delay = next(curve for setting, curve in curves if setting == "delay")
    return (
        result
        | points(task, test, networks, params)
        | {
            "delay": delay.values,
            "correct": delay.accuracy[..., 0].tolist(),
            "right_side": delay.accuracy[..., 1].tolist(),
            "trace": [trace(task, network) for network in networks],
        }
    )


def trace(task: Task[Any], network: Network) -> list[float]:
    """Distance between the states after the two first pulses, without noise or second pulse, over that at its end."""
    times, dynamics = task.settings, dynamics_of(network)
    off = times.stim_on + times.stim_dur
    inputs = np.zeros((off + AFTER[-1] + 1, 2, len(task.channels)))
    inputs[times.stim_on : off, :, 0] = [1, -1]
    x = dynamics.rates(dynamics.simulate(inputs))
    apart = np.linalg.norm(x[:, 0] - x[:, 1], axis=1)
    return [float(apart[off - 1 + after] / apart[off - 1]) for after in AFTER]


def made_line(numbers: dict[str, Any]) -> list[str]:
    """At which commits the numbers were made."""
    return [f"Numbers were made at {', '.join(sorted(set(numbers['made_at'].values())))}."]


def mante_table(numbers: dict[str, Any]) -> list[str]:
    """A row per variant."""
    rows = [
        "| setting | networks | accuracy | iterations | verdicts, of networks x contexts | growth at the saddle, per tau | its time constant, ms | slowest mode of stable points, per tau | selection ratio at the saddle |",  # noqa: E501
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, population in numbers["mante"].items():
        stable = [max(rates) for rates in both(population, "stable_rates") if rates]
        rows.append(
            f"| {name} | {len(population['accuracy'])} | {span(population['accuracy'], '.3f')} | "
            f"{span(population['iterations'], '.0f')} | "
            f"{verdicts(population)} | {span(saddle_values(population, 'rate'))} | "
            f"{span([-t for t in saddle_values(population, 'time_constant')], '.0f')} | {span(stable)} | "
            f"{span(selection_at_saddles(population), '.1f')} |"
        )
    return rows


def checks_table(numbers: dict[str, Any]) -> list[str]:
    """What was expected of the shipped settings, and what ten networks show."""
    population = numbers["mante"]["as shipped"]
    counts = list(
        zip(
            both(population, "stable"),
            both(population, "saddle"),
            both(population, "unstable_dimensions"),
            strict=True,
        )
    )
    as_expected = sum(c == (2, 1, [1]) for c in counts)
    ratios = [
        r for context in population["selection_ratio"].values() for r in context if r is not None
    ]
    slopes = population["psychometric_slope"]
    share = [i / r for i, r in zip(slopes["irrelevant"], slopes["relevant"], strict=True)]
    late = population["late_selection"].values()
    own, choice = ([v for c in late for v in c[axis]] for axis in ("own_axis", "choice_axis"))
    return [
        "| expected | measured |",
        "|---|---|",
        f"| two stable points, one saddle with one unstable direction | {as_expected} of {len(counts)} |",
        f"| selection vector overlaps the relevant input over twice as much | {sum(r > 2 for r in ratios)} of {len(ratios)}; {span(ratios, '.1f')} |",  # noqa: E501
        f"| psychometric slope, relevant | {span(slopes['relevant'], '.1f')} |",
        f"| irrelevant slope under half of it | {sum(s < 0.5 for s in share)} of {len(share)}; ratio {span(share)} |",
        f"| irrelevant evidence moves the state along its own axis too | {span(own)} times as far |",
        f"| and is not integrated | {span(choice)} times as far along the choice |",
    ]


def points_table(numbers: dict[str, Any]) -> list[str]:
    """How often each combination of points occurs in the shipped networks."""
    population = numbers["mante"]["as shipped"]
    keys = ("stable", "saddle", "slow")
    counts = Counter(zip(*(both(population, key) for key in keys), strict=True)).most_common()
    return ["| stable | saddles | slow | networks x contexts |", "|---|---|---|---|",
            *(f"| {s} | {d} | {w} | {n} |" for (s, d, w), n in counts)]  # fmt: skip


def lesion_table(numbers: dict[str, Any]) -> list[str]:
    """Share on the right side by dose, group against as many other units."""
    doses = with_changes({}, "mante").analyze.lesions.doses
    rows = [
        "| group | " + " | ".join(f"{100 * d:g}%" for d in doses) + " |",
        "|---" * (len(doses) + 1) + "|",
    ]
    for group, shares in numbers["mante"]["as shipped"]["lesions"].items():
        cells = (f"{a:.2f} / {b:.2f} / {c:.2f}" for a, b, c in zip(*shares.values(), strict=True))
        rows.append(f"| {group} | " + " | ".join(cells) + " |")
    return rows


def memory_table(numbers: dict[str, Any]) -> list[str]:
    """Per task: points without input, accuracy by delay, and the trace of the first pulse."""
    rows = []
    for name, population in numbers["memory"].items():
        stable = [rate for rates in both(population, "stable_rates") for rate in rates]
        rows += [
            f"**{name}**, {len(population['accuracy'])} networks. Without input: {verdicts(population)}; leading "
            f"mode of the stable points {span(stable)} per tau.",
            "",
            "| delay, ms | " + " | ".join(f"{d:g}" for d in population["delay"]) + " |",
            "|---" * (len(population["delay"]) + 1) + "|",
            *(
                f"| {label} | "
                + " | ".join(f"{v:.2f}" for v in np.mean(population[key], axis=0))
                + " |"
                for label, key in (("correct", "correct"), ("on the right side", "right_side"))
            ),
            "",
            "| ms after the first pulse | " + " | ".join(map(str, AFTER)) + " |",
            "|---" * (len(AFTER) + 1) + "|",
            "| its trace, median | "
            + " | ".join(f"{v:.3f}" for v in np.median(population["trace"], axis=0))
            + " |",
            "| largest of the networks | "
            + " | ".join(f"{v:.3f}" for v in np.max(population["trace"], axis=0))
            + " |",
            "",
        ]
    return rows[:-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=5, help="networks per variant")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[], metavar="VARIANT")
    given = parser.parse_args()
    main(given.networks, given.only)
