"""Section `evaluate`; the outcome of every test trial of every network, and the accuracies that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from ctrnn.core.artifacts import mean_sd
from ctrnn.core.config import Count, Section
from ctrnn.core.rng import key
from ctrnn.dynamics.activations import slope_at_zero, slope_of_rate
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task


class EvaluateSettings(Section):
    """Section `evaluate`."""

    sample_trials: Count


TABLE_COLUMNS = ("split", "noise_seed")  # of the trial table, that outcomes leave out
SATURATED = 0.05


@dataclass(frozen=True)
class Evaluation:
    """outcomes: a row per network and test trial; the whole output of some sample trials."""

    outcomes: pd.DataFrame
    sample_trials: Int[np.ndarray, " sample"]
    sample_outputs: Float[np.ndarray, "network time sample output"]
    sample_targets: Float[np.ndarray, "time sample output"]
    activity: list[dict[str, float]]  # of each network, on the sample trials
    left_out: str  # what cannot be said of the task, in a sentence

    def samples(self) -> dict[str, np.ndarray]:
        """The arrays of outputs.npz."""
        return {
            "trials": self.sample_trials,
            "outputs": self.sample_outputs,
            "targets": self.sample_targets,
        }


def evaluate(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    n_samples: int,
    backend: Backend,
) -> Evaluation:
    """Run every network on the test trials; `n_samples` trials per condition keep their whole output.

    A task of several outputs has the columns response and choice once for each, as response_<output>; one without
    `sides` has no column right_side.
    """
    rows = test.conditions
    samples = rows.groupby("condition")["trial"].head(n_samples).to_numpy()
    trials = [Trials(test.inputs, key(seed, "evaluate")) for seed in seeds]
    seen = [Trials(test.inputs[:, samples], noise=None) for _ in seeds]  # rates are f(x) exactly
    tables, kept = [], []
    for index, outputs in enumerate(backend.outputs(networks, trials)):
        score = task.score(outputs, rows)
        table = rows.drop(columns=list(TABLE_COLUMNS))
        table.insert(0, "network", index)
        scored = {
            **by_output("response", score.response, task.outputs),
            **by_output("choice", score.choice, task.outputs),
            **on_side(task, score.response, rows),
            "correct": score.correct,
        }
        tables.append(table.assign(**scored))
        kept.append(outputs[:, samples])
    ends = task.ends(rows.iloc[samples])
    return Evaluation(
        pd.concat(tables, ignore_index=True),
        samples,
        np.stack(kept),
        test.targets[:, samples],
        [
            activity_of(network, until(ends, activity.rates))
            for network, activity in zip(networks, backend.activity(networks, seen), strict=True)
        ],
        task.left_out if task.sides is None else "",
    )


def on_side(
    task: Task[Any], response: Float[np.ndarray, " trial *output"], rows: pd.DataFrame
) -> dict[str, Bool[np.ndarray, " trial"]]:
    """A column right_side where the task has sides."""
    near = task.near(response, rows)
    return {} if near is None else {"right_side": near}


def by_output(
    name: str, values: Float[np.ndarray, " trial *output"], outputs: Sequence[str]
) -> dict[str, Float[np.ndarray, " trial"]]:
    """A column, or a column for each of several outputs."""
    if values.ndim == 1:
        return {name: values}
    return {f"{name}_{output}": values[:, i] for i, output in enumerate(outputs)}


def until(
    ends: Int[np.ndarray, " trial"], rates: Float[np.ndarray, "time trial unit"]
) -> Float[np.ndarray, "*time_and_trial unit"]:
    """The rates of every trial until it ends; as they are where all trials are as long as the batch."""
    inside = np.arange(len(rates))[:, None] < ends
    return rates if inside.all() else rates[inside]


def activity_of(
    network: Network, rates: Float[np.ndarray, "*time_and_trial unit"]
) -> dict[str, float]:
    """Why a network may not have learned: its mean rate, the share of rates without slope, of synapses without weight.

    Saturated is a rate below 0.05 or above 0.95 of the sigmoid, where its slope is under a fifth of that at 0; of other
    bounded or smooth activations, a rate where that holds; for units with a threshold, a rate of 0 or below.
    """
    activation = network.wiring.settings.activation
    if activation == "sigmoid":
        saturated = (rates < SATURATED) | (rates > 1 - SATURATED)
    elif activation in ("relu", "threshold_power_law"):
        saturated = rates <= 0
    else:
        saturated = slope_of_rate(activation, rates) < slope_at_zero(activation) / 5
    return {
        "mean_rate": float(rates.mean(dtype=np.float64)),
        "saturated_rates": float(saturated.mean()),
        "vanished_synapses": network.zero_weight_fraction,
    }


def metrics(evaluation: Evaluation, summary: dict[str, Any]) -> dict[str, Any]:
    """reports/evaluate/<task>.json: accuracy on test trials, iterations to criterion, converged or not, activity.

    A network that did not converge has no number of iterations to criterion (null), and mean and spread leave it out.
    """
    trained, outcomes = summary["networks"], evaluation.outcomes
    reached = [run["iterations"] if run["converged"] else None for run in trained]
    by_condition = outcomes.groupby("condition")["correct"].mean()
    return {
        "accuracy": mean_sd(outcomes.groupby("network")["correct"].mean().tolist()),
        "iterations_to_criterion": mean_sd(reached),
        "converged": [run["converged"] for run in trained],
        **{
            name: mean_sd(outcomes.groupby("network")[name].mean().tolist())
            for name in ("right_side",)
            if name in outcomes
        },
        **{
            name: mean_sd([measured[name] for measured in evaluation.activity])
            for name in evaluation.activity[0]
        },
        "accuracy_by_condition": {label: float(share) for label, share in by_condition.items()},
        **({"left_out": evaluation.left_out} if evaluation.left_out else {}),
    }
