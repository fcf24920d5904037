"""docs/explanation/results.md and its heat maps, from reports/results/networks.csv alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctrnn.core import rng
from ctrnn.figures import style
from ctrnn.sweep.page import draw_map
from experiments.portraits import saddle_values, selection_at_saddles, span, verdicts

MECHANISM = Path(__file__).with_name("mechanism.json")
CONDITIONS = {  # experiments that are one setting, in the order of the first table
    "recipe": "the shipped settings",
    "dale_off": "without Dale's principle",
    "tutorial": "the tutorial's settings",
}
SWEEPS = {"relu": "w_gain", "n_units": "n_units", "p_rec": "p_rec"}
LEARNED = 0.8  # share of networks from which on a cell counts as learned
ENOUGH = 0.98  # accuracy above which the shipped criterion is met
KNOWN = 0.9  # share of trials on the right side from which on the answer counts as known
MANY = 0.3  # share of vanished synapses, or of saturated rates, that is told as a reason


def read(table: Path) -> pd.DataFrame:
    """The table of networks. Hashes are text: by itself pandas takes 1234567 or 12e4567 for a number."""
    return pd.read_csv(table, dtype={"commit": str, "key": str})


def write(table: Path, docs: Path) -> None:
    """Write results.md and results/*.png into `docs`. table: a row per network, as `experiments.run` keeps it."""
    docs.mkdir(parents=True, exist_ok=True)
    rows = read(table)
    if "failure" not in rows:
        rows["failure"] = None
    parts = [
        "# What learns, and what does not",
        "Made by `make results` from `reports/results/networks.csv`, a row per network, which holds every "
        "number on this page. A network has converged where over 98% of validation trials are right at two checks in a "
        "row; accuracy is on test trials. Seconds are those of one core while several networks train side by side. "
        f"Made at commits {', '.join(rows['commit'].unique())}.",
        _seeds(rows),
        _conditions(rows),
        _grid(rows, docs),
        _no_delay(rows),
        _sweep(rows, "gain", "w_gain"),
        _gain_inside() if (rows["experiment"] == "gain").any() else "",
        *(_sweep(rows, experiment, column) for experiment, column in SWEEPS.items()),
        _tasks(rows),
    ]
    (docs / "results.md").write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


def _seeds(rows: pd.DataFrame) -> str:
    """Whether the present code draws the networks of the table."""
    today = rng.network_seeds(1, len(rows))
    if rows["seed"].isin(today).all():
        return ""
    return (
        f"**The present code gives other numbers.** The networks here have the seeds {rows['seed'].min()} to "
        f"{rows['seed'].max()}, as network i had at these commits; today its seed is a hash of `seed` and i "
        "(`network_seeds` in `src/ctrnn/core/rng.py`)."
    )


def _conditions(rows: pd.DataFrame) -> str:
    chosen = rows[rows["experiment"].isin(CONDITIONS)]
    groups = [
        ({"settings": words, "task": task}, own[own["task"] == task])
        for experiment, words in CONDITIONS.items()
        for own in [chosen[chosen["experiment"] == experiment]]
        for task in own["task"].unique()
    ]
    return _section("Dale on, Dale off, and the tutorial's settings", groups)


def _sweep(rows: pd.DataFrame, experiment: str, column: str) -> str:
    chosen = rows[rows["experiment"] == experiment]
    groups = [
        ({"task": str(task), column: f"{value:g}"}, own)
        for (task, value), own in chosen.groupby(["task", column])
    ]
    title = {
        "gain": "The gain `w_gain`: spectral radius of the linearised recurrence at the start",
        "relu": "Relu units",
        "n_units": "Numbers of units",
        "p_rec": "Densities of the recurrence",
    }[experiment]
    return _section(title, groups)


def _no_delay(rows: pd.DataFrame) -> str:
    without = rows[rows["experiment"] == "no_delay"]
    if without.empty:
        return ""
    cell = rows[["task", "p_inh", "tau"]].eq(without.iloc[0][["task", "p_inh", "tau"]]).all(axis=1)
    groups = [
        ({"delays": "as shipped"}, rows[cell & (rows["experiment"] == "grid")]),
        ({"delays": "none"}, without),
    ]
    return _section("dmts at p_inh 0.1 and tau 5, with and without its delays", groups)


def _gain_inside() -> str:
    """What the gain does to the networks of mante, from experiments/mechanism.json."""
    populations = json.loads(MECHANISM.read_text())["mante"]
    shipped = {"w_gain 1.5": populations["as shipped"]}
    gains = {
        k: population
        for k, population in {**populations, **shipped}.items()
        if k.startswith("w_gain")
    }
    lines = [
        [
            name.removeprefix("w_gain "),
            verdicts(gains[name]),
            span(saddle_values(gains[name], "rate")),
            span(selection_at_saddles(gains[name]), ".1f"),
        ]
        for name in sorted(gains, key=lambda name: float(name.split()[1]))
    ]
    head = [
        "w_gain",
        "portraits (networks x contexts)",
        "growth at the saddle, per tau",
        "selection ratio at the saddle",
    ]
    return (
        "What it does to the mechanism of mante, by the fixed points in both contexts "
        f"([mechanism.md](mechanism.md)):\n\n{table_of(head, lines)}"
    )


def _tasks(rows: pd.DataFrame) -> str:
    chosen = rows[rows["experiment"] == "tasks"]
    return _section(
        "The other tasks",
        [({"task": str(task)}, own) for task, own in chosen.groupby("task", sort=False)],
    )


def _section(title: str, groups: list[tuple[dict[str, str], pd.DataFrame]]) -> str:
    """A table with a line per group of networks, and the reasons of those that did not learn."""
    if not groups:
        return ""
    lines = [[*names.values(), *summary(own).values()] for names, own in groups]
    head = [*groups[0][0], *summary(groups[0][1])]
    missed = [
        f"- {', '.join(names.values())}: {reason(own)}"
        for names, own in groups
        if own["converged"].mean() < LEARNED
    ]
    parts = [f"## {title}", table_of(head, lines)]
    if missed:
        parts += ["Not learned:", "\n".join(missed)]
    return "\n\n".join(parts)


def _grid(rows: pd.DataFrame, docs: Path) -> str:
    chosen = rows[rows["experiment"] == "grid"]
    if chosen.empty:
        return ""
    measures: dict[str, tuple[str, Callable[[pd.DataFrame], float], str]] = {
        "success": ("share of networks that converged", lambda own: own["converged"].mean(), ".1g"),
        "iterations": (
            "median iterations of those that converged",
            lambda own: own.loc[own["converged"], "iterations"].median(),
            ".0f",
        ),
        "accuracy": ("mean accuracy on test trials", lambda own: own["accuracy"].mean(), ".2f"),
    }
    (docs / "results").mkdir(parents=True, exist_ok=True)
    parts = ["## The share of inhibitory units and the time constant"]
    for name, (words, measure, form) in measures.items():
        style.save(
            heat_maps(chosen, measure, words, form), docs / "results" / f"grid-{name}.png", dpi=90
        )
        parts.append(f"![{words}, by p_inh and tau](results/grid-{name}.png)")
    cells = [
        (f"{task}, p_inh {p_inh:g}, tau {tau:g}", own)
        for (task, p_inh, tau), own in chosen.groupby(["task", "p_inh", "tau"])
    ]
    missed = [(name, own) for name, own in cells if own["converged"].mean() < LEARNED]
    parts.append(
        f"{len(cells) - len(missed)} of the {len(cells)} cells that were run are learned: at least {LEARNED:.0%} of "
        "their networks converged."
    )
    if missed:
        parts += ["Not learned:", "\n".join(f"- {name}: {reason(own)}" for name, own in missed)]
    return "\n\n".join(parts)


def summary(own: pd.DataFrame) -> dict[str, str]:
    """Numbers of a group of networks in words."""
    done = own[own["converged"]]
    return {
        "converged": f"{len(done)} of {len(own)}",
        "iterations": spread_of(done["iterations"], ".0f"),
        "seconds": spread_of(done["seconds"].dropna(), ".1f"),
        "accuracy": mean_of(own["accuracy"].dropna()),
        "lowest": f"{own['accuracy'].min():.3f}" if own["accuracy"].notna().any() else "–",
    }


def reason(own: pd.DataFrame) -> str:
    """Why networks of a group did not converge, by what was measured of those that did not."""
    missed = own[~own["converged"]]
    failures = missed["failure"].dropna()
    if len(failures):
        return f"training stopped: {failures.iloc[0]}"
    side, accuracy, vanished, saturated, rate = (
        missed[name].mean()
        for name in ("right_side", "accuracy", "vanished_synapses", "saturated_rates", "mean_rate")
    )
    if accuracy > ENOUGH:
        verdict = "the criterion was within reach when training ended"
    elif side >= KNOWN:
        verdict = "the answer is known but falls short of the threshold, so it comes too late or too weakly"
    elif vanished >= MANY:
        verdict = "synapses vanished: their weights reached 0, where relu has no slope"
    elif saturated >= MANY:
        verdict = "units saturated, where the activation has no slope"
    else:
        verdict = "the answer is not known at the response; neither saturation nor vanished synapses stand out"
    sides = "" if np.isnan(side) else f"right side {side:.0%}, "
    return (
        f"{len(missed)} of {len(own)} missed the criterion in {spread_of(missed['iterations'], '.0f')} iterations; "
        f"{sides}correct {accuracy:.0%}, vanished synapses {vanished:.0%}, saturated rates "
        f"{saturated:.0%}, mean rate {rate:.2f}: {verdict}."
    )


@style.styled
def heat_maps(
    rows: pd.DataFrame, measure: Callable[[pd.DataFrame], float], words: str, form: str
) -> Figure:
    """A panel per task: the measure by p_inh (upwards) and tau; cells without a number are grey."""
    tasks, p_inhs, taus = (sorted(rows[name].unique()) for name in ("task", "p_inh", "tau"))
    values = {
        task: np.array(
            [[_cell(rows, measure, task, p_inh, tau) for tau in taus] for p_inh in p_inhs]
        )
        for task in tasks
    }
    every = np.concatenate([grid.ravel() for grid in values.values()])
    finite = every[np.isfinite(every)]
    low, high = (0.0, 1.0) if not finite.size or finite.max() <= 1 else (0.0, float(finite.max()))
    figure = style.blank(2.2)
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, (task, grid) in zip(panels, values.items(), strict=True):
        image = draw_map(axes, grid, p_inhs, taus, (low, high), form)
        axes.set_title(task, loc="left")
        axes.set_xlabel("tau (ms)")
    panels[0].set_ylabel("p_inh")
    figure.colorbar(image, ax=panels, shrink=0.9, label=" ")  # without one its numbers are cut off
    figure.suptitle(words, fontsize=8.5)
    return figure


def _cell(
    rows: pd.DataFrame,
    measure: Callable[[pd.DataFrame], float],
    task: str,
    p_inh: float,
    tau: float,
) -> float:
    own = rows[(rows["task"] == task) & (rows["p_inh"] == p_inh) & (rows["tau"] == tau)]
    return float(measure(own)) if len(own) else float("nan")


def spread_of(values: pd.Series, form: str) -> str:
    """Median, and lowest to highest where they differ."""
    if values.empty:
        return "–"
    low, median, high = (
        format(value, form) for value in (values.min(), values.median(), values.max())
    )
    return median if low == high else f"{median} ({low}–{high})"


def mean_of(values: pd.Series) -> str:
    """Mean and standard deviation over networks."""
    if values.empty:
        return "–"
    return f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")


def table_of(head: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
