"""What came out of a sweep: reports/sweeps/<name>/ with a page, its figures, and the tables as CSV.

A measure is drawn against the axes: heat maps over two of them, lines with intervals along one.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ctrnn.figures import style
from ctrnn.figures.style import png
from ctrnn.report.page import render
from ctrnn.sweep import effects, table
from ctrnn.sweep.effects import SHARES, label
from ctrnn.sweep.table import MEASURES


@style.styled
def heat_maps(
    values: Mapping[str, Float[np.ndarray, "upwards along"]],
    upwards: tuple[str, Sequence[Any]],
    along: tuple[str, Sequence[Any]],
    words: str,
) -> Figure:
    """A panel per task, all of one scale. upwards, along: name and values of an axis; cells that are NaN stay grey."""
    figure, panels = style.panels(len(values), 2.2)
    every = np.concatenate([grid.ravel() for grid in values.values()])
    numbers = every[np.isfinite(every)]
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    for axes, (task, grid) in zip(panels, values.items(), strict=True):
        image = draw_map(axes, grid, upwards[1], along[1], (low, high), ".3g")
        axes.set(xlabel=along[0], ylabel=upwards[0])
        axes.set_title(task, loc="left")
    figure.colorbar(image, ax=panels, shrink=0.9, label=words)
    return figure


def draw_map(
    axes: Axes,
    grid: Float[np.ndarray, "upwards along"],
    upwards: Sequence[Any],
    along: Sequence[Any],
    scale: tuple[float, float],
    form: str,
) -> AxesImage:
    """A heat map with its numbers, in this format, in the cells; NaN stays grey. scale: lowest, highest."""
    low, high = scale
    image = axes.imshow(grid, origin="lower", cmap="cividis", vmin=low, vmax=high, aspect="auto")
    axes.set_facecolor("0.85")
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            colour = "white" if value <= (low + high) / 2 else "black"
            words = format(value, form)
            axes.text(column, row, words, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(along)), [label(value) for value in along])
    axes.set_yticks(range(len(upwards)), [label(value) for value in upwards])
    return image


@style.styled
def lines(
    means: Mapping[str, Float[np.ndarray, "line along bound"]],
    along: tuple[str, Sequence[Any]],
    labels: Sequence[str],
    words: str,
) -> Figure:
    """A panel per task, a line per label: mean, and the lower and upper end of its interval (`bound`: these three)."""
    figure, panels = style.panels(len(means), 2.2, labels if len(labels) > 1 else ())
    at = np.arange(len(along[1]))
    for axes, (task, drawn) in zip(panels, means.items(), strict=True):
        for line, colour, name in zip(drawn, style.colours(len(labels)), labels, strict=True):
            axes.plot(at, line[:, 0], color=colour, marker="o", markersize=3, label=name)
            axes.fill_between(at, line[:, 1], line[:, 2], color=colour, alpha=0.2, linewidth=0)
        axes.set_xticks(at, [label(value) for value in along[1]])
        axes.set(xlabel=along[0], ylabel=words)
        axes.set_title(task, loc="left")
    if len(labels) > 1:
        style.legend_below(figure, panels[0], style.columns_for(labels))
    return figure


TEMPLATE = Path(__file__).with_name("sweep.html.j2")


def write(folder: Path, sweep: dict[str, Any], rows: pd.DataFrame, missing: list[str]) -> Path:
    """Write networks.csv, effects.csv, a figure per measure, and index.html, which holds them all; its path.

    sweep: what sweep.json holds. rows: of `table.rows`. missing: points, or tasks of points, without finished runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):  # of axes that it may not have any more
        old.unlink()
    networks, effect_sizes = tables(sweep, rows)
    networks.to_csv(folder / "networks.csv", index=False)
    effect_sizes.to_csv(folder / "effects.csv", index=False)
    axes, measured = columns(sweep)
    of_networks = [axis for axis in axes if axis not in measured]
    shares = convergence(networks, of_networks)
    drawn = []
    for measure in measures(rows):
        words = MEASURES[measure][1]
        for kind, figure in figures(networks, axes, measure, words):
            (folder / f"{measure}-{kind}.png").write_bytes(made := png(figure))
            drawn.append({"title": words, "kind": kind, "data": base64.b64encode(made).decode()})
    every = list(table.columns(sweep["axes"]).values())
    page = render(
        TEMPLATE,
        sweep=sweep,
        axes=every,
        figures=drawn,
        effects=effect_sizes.to_dict("records"),
        headline=headline(effect_sizes),
        network_axes=of_networks,
        convergence=shares,
        missed={
            task: (sum(row["of"] - row["met"] for row in own), sum(row["of"] for row in own))
            for task, group in itertools.groupby(shares, key=itemgetter("task"))
            for own in [list(group)]
        },
        axis_family=effect_sizes.loc[effect_sizes["kind"] == "axis", "family"].max(),
        label=label,
        words={name: words for name, (_, words) in MEASURES.items()},
        points=summary(rows, every),
        missing=missing,
    )
    path = folder / "index.html"
    path.write_text(page + "\n", encoding="utf-8")
    return path


def tables(sweep: dict[str, Any], rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distinct networks, and effects of the axes that decide what a network is. sweep, rows: as for `write`."""
    axes, measured = columns(sweep)
    networks = table.distinct(rows, sweep["axes"])
    of_networks = [axis for axis in axes if axis not in measured]
    averaged = table.averaged(networks, axes, measured)
    return networks, effects.effects(averaged, of_networks, measures(rows))


def headline(effect_sizes: pd.DataFrame) -> str:
    """What matters most: the effect of an axis whose simultaneous interval leaves out 0, in a sentence.

    Of several, effects on convergence come first, then on accuracy, then the largest by g. Where none is clear, it
    is the one whose interval comes closest.
    """
    own = effect_sizes[(effect_sizes["kind"] == "axis") & effect_sizes["family"].notna()]
    if own.empty:
        return (
            "No effect has an interval: it takes an axis with an order, and two networks of different seeds at two "
            "of its values."
        )
    reach = (own["simultaneous_to"] - own["simultaneous_from"]) / 2
    own = own.assign(
        clear=(own["simultaneous_from"] > 0) | (own["simultaneous_to"] < 0),
        order=own["measure"].map({"converged": 0, "accuracy": 1}).fillna(2),
        size=own["g"].abs().fillna(own["difference"].abs()),
        ratio=own["difference"].abs() / reach,
    )
    clear = own[own["clear"]].sort_values(["order", "size"], ascending=[True, False])
    row = (own.sort_values("ratio", ascending=False) if clear.empty else clear).iloc[0]
    share = row["measure"] in SHARES
    of = f"{'share that ' if share else ''}{MEASURES[row['measure']][1]}"
    change = (
        f"from {row['axis']} {label(row['lowest'])} to {label(row['highest'])}, {of} ({row['task']}) changes by "
        f"{row['difference']:+.3g}, 95% interval {row['simultaneous_from']:+.3g} to {row['simultaneous_to']:+.3g} "
        f"({row['networks']} networks, paired by seed)"
    )
    n = int(row["family"])
    together = f"; the intervals of all {n} effects of axes hold together in 95% of sweeps" * (
        n > 1
    )
    if clear.empty:
        return f"No effect of an axis is clear; the clearest: {change}{together}."
    return f"What matters most: {change}{together}."


def convergence(networks: pd.DataFrame, axes: Sequence[str]) -> list[dict[str, Any]]:
    """A row per task and values of the axes: how many networks converged, and the share's exact 95% interval."""
    counted, tasks = [], list(networks["task"].unique())
    for values, own in networks.groupby(["task", *axes], sort=False, dropna=False):
        met = own.groupby("network_seed")["converged"].mean().dropna().to_numpy(np.float64)
        share, low, high = effects.share_interval(met)
        at = dict(zip(["task", *axes], values, strict=True))
        counted.append(
            {**at, "met": int(met.sum()), "of": len(met), "share": share, "from": low, "to": high}
        )
    return sorted(counted, key=lambda row: tasks.index(row["task"]))


def columns(sweep: dict[str, Any]) -> tuple[list[str], set[str]]:
    """The columns of all axes but `seed`, whose networks are replicates; those that decide only what is measured."""
    named = {key: name for key, name in table.columns(sweep["axes"]).items() if key != "seed"}
    measured = (key for key in named if key.partition(".")[0] in ("evaluate", "analyze"))
    return list(named.values()), {named[key] for key in measured}


def measures(rows: pd.DataFrame) -> list[str]:
    """The measures that some network has."""
    return [name for name in MEASURES if rows[name].notna().any()]


def figures(
    rows: pd.DataFrame, axes: Sequence[str], measure: str, words: str
) -> list[tuple[str, Figure]]:
    """A heat map over the first two axes, and lines along each, for the tasks that the same axes concern and vary in.

    Over further axes the networks of each seed are averaged first, so that a seed counts once in an interval.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for task, own in rows.groupby("task", sort=False):
        alike.setdefault(tuple(a for a in axes if own[a].nunique() > 1), []).append(str(task))
    made = []
    for used, tasks in alike.items():
        rows_of_tasks = table.averaged(rows[rows["task"].isin(tasks)], used, used[2:])
        of_tasks = f"-{'-'.join(tasks)}" if len(alike) > 1 else ""
        made += [
            (kind + of_tasks, figure)
            for kind, figure in _drawn(rows_of_tasks, used, measure, words)
        ]
    return made


def _drawn(
    rows: pd.DataFrame, axes: Sequence[str], measure: str, words: str
) -> list[tuple[str, Figure]]:
    """A heat map over the first two axes, and lines along each axis, one for each value of the other."""
    if not axes:
        return []
    interval = effects.share_interval if measure in SHARES else effects.mean_interval
    levels = {
        axis: sorted(rows[axis].unique(), key=lambda v: (str(type(v)), v)) for axis in axes[:2]
    }
    made: list[tuple[str, Figure]] = []
    if len(axes) > 1:
        upwards, along = axes[:2]
        grids = {
            str(task): np.array(
                [
                    [
                        interval(select(own, measure, {upwards: u, along: a}))[0]
                        for a in levels[along]
                    ]
                    for u in levels[upwards]
                ]
            )
            for task, own in rows.groupby("task", sort=False)
        }
        upward, across = (upwards, levels[upwards]), (along, levels[along])
        made.append(("map", heat_maps(grids, upward, across, words)))
    for along, other in ((axes[0], axes[1:2]), *([(axes[1], axes[:1])] if len(axes) > 1 else [])):
        several = [{other[0]: value} for value in levels[other[0]]] if other else [{}]
        means = {
            str(task): np.array(
                [
                    [interval(select(own, measure, {along: a, **fixed})) for a in levels[along]]
                    for fixed in several
                ]
            )
            for task, own in rows.groupby("task", sort=False)
        }
        labels = [", ".join(f"{key} {value}" for key, value in fixed.items()) for fixed in several]
        made.append((f"by-{along}", lines(means, (along, levels[along]), labels, words)))
    return made


def select(rows: pd.DataFrame, measure: str, values: dict[str, Any]) -> np.ndarray:
    """A measure of the networks with these values of the axes; NaN alone where there are none."""
    for axis, value in values.items():
        rows = rows[rows[axis] == value]
    chosen = rows[measure].to_numpy(np.float64)
    return chosen if len(chosen) else np.array([np.nan])


def summary(rows: pd.DataFrame, axes: list[str]) -> list[dict[str, Any]]:
    """A row per run, in the order of the axes."""
    keys = ["task", *axes, "experiment", "run_id"]
    return [
        {
            **dict(zip(keys, values, strict=True)),
            "networks": len(own),
            "converged": int(own["converged"].sum()),
            "accuracy": own["accuracy"].mean(),
            "iterations": own["iterations"].mean(),
        }
        for values, own in rows.groupby(keys, sort=False, dropna=False)
    ]


def metrics(sweep: dict[str, Any], rows: pd.DataFrame) -> dict[str, float]:
    """What a list of sweeps in MLflow is sorted by, over distinct networks. sweep, rows: as for `write`."""
    axes, measured = columns(sweep)
    networks = table.averaged(table.distinct(rows, sweep["axes"]), axes, measured)
    by_task = {
        f"{measure}/{task}": float(own[measure].mean())
        for task, own in networks.groupby("task")
        for measure in ("accuracy", "converged", "iterations")
        if own[measure].notna().any()
    }
    return {"networks": float(len(networks)), "runs": float(rows["run_id"].nunique()), **by_task}


def settings(sweep: dict[str, Any]) -> dict[str, str]:
    """The sweep as parameters of its run: what was set, with the values of each axis."""
    return {
        "tasks": ", ".join(sweep["tasks"]),
        "commit": sweep["commit"],
        **{key: json.dumps(list(values)) for key, values in sweep["axes"].items()},
        **dict(override.split("=", 1) for override in sweep["fixed"]),
    }
