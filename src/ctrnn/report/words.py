"""Numbers in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, SupportsFloat

from ctrnn.report.results import Results


def span(values: Iterable[SupportsFloat], form: str = "g") -> str:
    """Lowest to highest, one number where they read the same: "100–125"; "none" where there is none."""
    numbers = [float(value) for value in values]
    if not numbers:
        return "none"
    low, high = format(min(numbers), form), format(max(numbers), form)
    return low if low == high else f"{low}–{high}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f}%"


def times(spread: dict[str, Any], digits: int = 2) -> str:
    """Mean and standard deviation over networks."""
    sd = spread["sd"]
    return f"{spread['mean']:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd is not None else "")


def tally(names: Iterable[str]) -> str:
    """How often each name comes, the most frequent first: "bistable in 5 of 6, one stable point in 1"."""
    counted = Counter(names).most_common()
    total = sum(count for _, count in counted)
    (first, n), *rest = counted
    return ", ".join(
        [f"{first} in {n} of {total}", *(f"{name} in {count}" for name, count in rest)]
    )


def headline(results: Results) -> str:
    """A task's result in a sentence."""
    reached = [run["iterations"] for run in results.networks if run["converged"]]
    settings = results.params.train
    goal = {
        "accuracy": f"accuracy {settings.accuracy_criterion:g}",
        "loss": f"loss {settings.loss_criterion:g}",
    }.get(settings.stop_criterion, "the criterion")
    count = f"{len(reached)} of {len(results.networks)} networks reached {goal}"
    when = f" after {span(reached)} iterations" if reached else ""
    return f"{count}{when}; accuracy on test trials {times(results.evaluation['accuracy'], 3)}."


def shortfall(results: Results) -> str:
    """The networks that did not converge, with what they lack, in a sentence; empty where there are none."""
    missed = []
    for run in results.networks:
        if not run["converged"]:
            lacks = results.lacks[run["network"]]
            missed.append(
                f"network {run['network']} (seed {run['seed']}, {run['validation_accuracy']:.3f} on validation trials "
                f"after {run['iterations']} iterations{'; it has ' * bool(lacks)}{', '.join(lacks)})"
            )
    train = results.params.train
    needed = train.check_every * train.patience
    none = (
        f" None could converge: train.patience = {train.patience} checks, one every "
        f"{train.check_every} iterations, take {needed}, and train.max_iterations = {train.max_iterations}."
    )
    return (
        f"Not converged: {', '.join(missed)}.{none * (needed > train.max_iterations)}"
        if missed
        else ""
    )
