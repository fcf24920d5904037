"""What a run says of itself: what it was computed with, and a text in Markdown like an entry of a lab book."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ctrnn import __version__
from ctrnn.core.config import Section
from ctrnn.params import Params

CPUINFO = Path("/proc/cpuinfo")  # of Linux
_SOURCES = ("src", "stages", "params.yaml", "dvc.yaml")


def tags(root: str | Path, backend: str, same_code: bool = True) -> dict[str, str]:
    """Tags for commit, changes to it, versions and machine; backend: that of training.

    same_code: whether the results are of the checkout's code; no commit can be told where they are not.
    """
    commit = _git(root, "rev-parse", "HEAD") if same_code else ""
    texts = {
        "git.commit": commit or "none",
        "git.dirty": str(bool(_git(root, "status", "--porcelain", "--", *_SOURCES))).lower(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME", ""),
        "version.ctrnn": __version__,
        "version.python": platform.python_version(),
        **{f"version.{name}": _version(name) for name in ("numpy", "torch")},
        "cpu": processor(),
        "backend": backend,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": "stages/publish.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    return {name: value for name, value in texts.items() if value}


def processor() -> str:
    """Model of the processor, or its architecture where the system does not tell."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _git(root: str | Path, *command: str) -> str:
    """What git prints; empty outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def write(
    task: str,
    params: Params,
    training: Mapping[str, Any],
    evaluated: Mapping[str, Any],
    analyzed: Mapping[str, Any],
    tags: Mapping[str, str],
    key: str,
) -> str:
    """The entry.

    training: summary.json; evaluated, analyzed: the metrics files; tags: those of `tags`.
    """
    from ctrnn.dynamics.derive import as_text  # here, since it takes half a second

    return "\n\n".join(
        [
            f"### {task}",
            _what(params, analyzed),
            f"```\n{as_text(params.network.model, params.network.activation)}\n```",
            _learning(training, params),
            _table(training, evaluated),
            *_lacking(training, analyzed),
            _accuracy(evaluated),
            *(analyzed[key] for key in ("left_out", "held_times") if key in analyzed),
            _connectivity(analyzed),
            _origin(task, tags, key),
        ]
    )


def _what(params: Params, analyzed: Mapping[str, Any]) -> str:
    network, n = params.network, params.train.n_networks
    counts = sorted({counted["units"] for counted in analyzed["weights"]["inhibitory"]["after"]})
    inhibitory = " to ".join(str(count) for count in dict.fromkeys([counts[0], counts[-1]]))
    tau = f"tau {network.tau:g} ms" + (
        "" if network.tau_inh is None else f" (inhibitory {network.tau_inh:g} ms)"
    )
    dale = "Dale's principle held" if network.dale else "Dale's principle off"
    return (
        f"{n} network{'s' * (n > 1)} (seed {params.seed}; that of each is below) of {network.n_units} "
        f"{network.activation} units, {inhibitory} inhibitory; {tau}, dt {network.dt:g} ms, "
        f"density {_density(network.p_rec)}, {dale}."
    )


def _density(p_rec: float | Section) -> str:
    if isinstance(p_rec, Section):
        return " ".join(f"{pair}={p:g}" for pair, p in p_rec.model_dump().items())
    return f"{p_rec:g}"


def _learning(training: Mapping[str, Any], params: Params) -> str:
    networks = training["networks"]
    converged = sum(bool(network["converged"]) for network in networks)
    train = params.train
    return (
        f"Trained with Adam at {train.learning_rate:g} on batches of {train.batch_size} "
        f"trials, until the stopping rule `{train.stop_criterion}` (accuracy above "
        f"{train.accuracy_criterion:g}, loss below {train.loss_criterion:g}) or {train.max_iterations} iterations: "
        f"**{converged} of {len(networks)} converged**.{_coarse(networks)}"
    )


def _coarse(networks: Sequence[Mapping[str, Any]]) -> str:
    """How much of the training was at a coarse time step; in runs of before, nothing."""
    first = [network.get("coarse_iterations", 0) for network in networks]
    if not any(first):
        return ""
    return f" Of the iterations, {', '.join(map(str, first))} were at a coarse time step."


def _table(training: Mapping[str, Any], evaluated: Mapping[str, Any]) -> str:
    rows = [
        "| network | seed | converged | iterations | validation accuracy | test accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for network, accuracy in zip(
        training["networks"], evaluated["accuracy"]["per_network"], strict=True
    ):
        cells = (
            str(network["network"]),
            str(network["seed"]),
            "yes" if network["converged"] else "no",
            str(network["iterations"]),
            _number(network["validation_accuracy"]),
            _number(accuracy),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _lacking(training: Mapping[str, Any], analyzed: Mapping[str, Any]) -> list[str]:
    """A sentence for each network that did not converge and lacks something."""
    return [
        f"Network {network['network']} did not converge; it has {', '.join(lacks)}."
        for network, lacks in zip(training["networks"], analyzed.get("lacks", ()), strict=False)
        if lacks and not network["converged"]
    ]


def _accuracy(evaluated: Mapping[str, Any]) -> str:
    accuracy = evaluated["accuracy"]
    mean, sd = _number(accuracy["mean"]), _number(accuracy["sd"])
    sentence = f"Accuracy on the test trials: **{mean}** (sd {sd})"
    conditions = evaluated["accuracy_by_condition"]
    if not conditions:
        return sentence + "."
    hardest = min(conditions, key=lambda label: conditions[label])
    return f"{sentence}; hardest condition: {hardest} ({_number(conditions[hardest])})."


def _connectivity(analyzed: Mapping[str, Any]) -> str:
    radius, dale = analyzed["spectral_radius"], analyzed["dale"]
    before, after = (_number(radius[when]["mean"]) for when in ("before", "after"))
    changed, off = dale["sign_changes"], dale["off_pattern"]
    held = (
        f"**{changed} weights changed sign, {off} left their pattern**"
        if changed or off
        else "no weight changed its sign or left its pattern"
    )
    radii = f"{before} before training, {after} after"
    return f"Spectral radius of the recurrent weights: {radii}; {held}."


def _origin(task: str, tags: Mapping[str, str], key: str) -> str:
    changed = ", with uncommitted changes" if tags["git.dirty"] == "true" else ""
    versions = ", ".join(
        f"{name} {tags[f'version.{name}']}" for name in ("ctrnn", "python", "numpy", "torch")
    )
    commit, back = f"Commit `{tags['git.commit'][:10]}`{changed}", "check out the commit, then"
    if tags["git.commit"] == "none":
        commit, back = "Commit not known: the code has changed since", "with this code,"
    return (
        f"{commit}; {versions}; {tags['cpu']}. Content key `{key}`. "
        f"To have the files back: {back} `dvc repro publish@{task}`."
    )


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
