"""Settings that are odd, each in the small configuration: `python -m tests.odd_settings` runs them and counts.

Each is refused in one sentence within seconds, or runs through all stages to the report, or stops in a stage with one
sentence. None ends in a traceback, and none hangs. A few are refused in the tests: `tests/unit/test_odd_settings.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import tempfile
import time
import traceback
import warnings
from collections import Counter
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from ctrnn import params
from ctrnn.analysis.dynamics import flow
from ctrnn.errors import ParamsError, UserError
from ctrnn.figures import figures
from tests.settings import FILE, MORE_TASKS

SMALL = FILE.parent / "tests" / "pipeline" / "small.yaml"
SECONDS, LONGEST = 5.0, 600.0  # until the sentence; until the report
SMALLER = {  # than the small configuration: dotted keys and values
    "network.n_units": 16,
    "train.max_iterations": 20,
    "report.dpi": 40,
    "tasks.mante.T": 110,
    "tasks.mante.stim_on": 10,
    "tasks.mante.stim_dur": 50,
    "tasks.mante.response_dur": 50,
    "tasks.dmts.T": 150,
    "tasks.dmts.stim_on": 10,
    "tasks.dmts.stim_dur": 20,
    "tasks.dmts.response_dur": 40,
}
IMPORTED = ("pyarrow", "scipy.optimize", "scipy.special", "scipy.spatial.distance", "scipy.ndimage")
TRIALS = {"perceptual_decision": 60, "working_memory": 60, "mante_graded": 72}
SPLITS = ("train_trials", "validation_trials", "test_trials")

# A case a line: `key: value`, or several with `;` between.
CASES = """
seed: 0
seed: 1000000000000000000
seed: 1000000000000000001
seed: -1

tasks.mante.T: 109
tasks.mante.T: 1000000000
tasks.go_nogo.T: 1000000000
tasks.mante.stim_on: 0
tasks.mante.stim_on: 0; tasks.mante.loss_over: baseline_and_response
tasks.mante.stim_dur: 1
tasks.mante.stim_dur: 1; tasks.mante.response_dur: 1; tasks.mante.stim_on: 0; tasks.mante.T: 2
tasks.mante.response_dur: 1
tasks.mante.response_delay: 1000000000
tasks.mante.threshold: 0
tasks.mante.threshold: 1.0e+30
tasks.mante.threshold: .inf
tasks.mante.evidence: []
tasks.mante.evidence: [1.0e-30]
tasks.mante.evidence: [1.0e+30]
tasks.mante.evidence: [0.5, 0.5]
tasks.mante.evidence: [.nan]
tasks.mante.evidence_sd: 0
tasks.mante.evidence_sd: 1.0e+30
tasks.mante.train_trials: 17
tasks.mante.train_trials: 15
tasks.mante.train_trials: 2000000000
tasks.mante.validation_trials: 1
tasks.mante.validation_trials: 8
tasks.mante.test_trials: 1
tasks.mante.test_trials: 7
tasks.mante.test_trials: 8
tasks.mante.test_trials: 13
tasks.mante.test_trials: 16
tasks.go_nogo.test_trials: 2
tasks.dmts.delay: 0
tasks.dmts.delay: 0; tasks.dmts.response_delay: 0; tasks.dmts.stim_dur: 1
tasks.dmts.delay: 50
tasks.dmts.test_trials: 4
tasks.go_nogo.nogo_threshold: 0.8
tasks.go_nogo.threshold: 0; tasks.go_nogo.nogo_threshold: 0
tasks.go_nogo.nogo_threshold: 0.9
tasks.go_nogo.stim_on: 0; tasks.go_nogo.T: 50
tasks.perceptual_decision.coherences: [1.0e-9]
tasks.perceptual_decision.coherences: [1.0]
tasks.perceptual_decision.coherences: [0.5, 0.5]
tasks.perceptual_decision.coherences: []
tasks.perceptual_decision.evidence_sd: 0
tasks.working_memory.frequencies: [1]
tasks.working_memory.frequencies: [10, 10]
tasks.working_memory.frequencies: []
tasks.working_memory.frequencies: [1.0e+30]
tasks.working_memory.step: 0
tasks.working_memory.step: 1.0e+30
tasks.working_memory.step: 1.0e-30
tasks.flip_flop.n_bits: 1
tasks.flip_flop.n_bits: 4
tasks.flip_flop.n_bits: 40
tasks.flip_flop.pulse_share: 0
tasks.flip_flop.pulse_share: 1
tasks.flip_flop.pulse_size: 0
tasks.flip_flop.pulse_size: 1.0e+30
tasks.flip_flop.pulse_dur: 50
tasks.flip_flop.pulse_dur: 51
tasks.flip_flop.pulse_every: 1; tasks.flip_flop.pulse_dur: 1
tasks.flip_flop.pulse_every: 1000
tasks.flip_flop.stim_dur: 1
tasks.mante_graded.evidence: [0.5]
tasks.mante_graded.evidence: [0.1, 0.2, 0.3, 0.4]
tasks.mante:
tasks.mante: []
tasks.mante: {}
tasks: {}
tasks: [mante]

tasks.mante.curriculum: [{settings: {}, until: 0.9}]
tasks.mante.curriculum: [{settings: {}, until: 0}]
tasks.mante.curriculum: [{settings: {}, until: 1}]
tasks.mante.curriculum: [{settings: {evidence: [1.0, 2.0]}, until: 0}, {settings: {evidence_sd: 0}, until: 0.0}]
tasks.mante.curriculum: [{settings: {T: 200, response_dur: 100}, until: 0}]
tasks.mante.curriculum: [{settings: {T: 60}, until: 0}]
tasks.mante.curriculum: [{settings: {train_trials: 2}, until: 0.9}]
tasks.mante.curriculum: [{settings: {train_trials: 17}, until: 0.0}]
tasks.mante.curriculum: [{settings: {validation_trials: 1}, until: 0.0}]
tasks.mante.curriculum: [{settings: {test_trials: 1}, until: 0.0}]
tasks.mante.curriculum: [{settings: {delay: 10}, until: 0.9}]
tasks.mante.curriculum: [{settings: {curriculum: []}, until: 0.9}]
tasks.mante.curriculum: [{settings: {tau: 10}, until: 0.9}]
tasks.mante.curriculum: [{settings: [], until: 0.9}]
tasks.mante.curriculum: [{until: 0.9}]
tasks.mante.curriculum: [{settings: {stim_dur: 5}, until: null}]
tasks.mante.curriculum: [{settings: {stim_dur: 5}, until: 1.1}]
tasks.mante.curriculum: [null]
tasks.mante.curriculum: null
tasks.dmts.curriculum: [{settings: {delay: 0, loss_over: baseline_and_response}, until: 0.0}]
tasks.flip_flop.curriculum: [{settings: {n_bits: 1}, until: 0.0}]

network.n_units: 1
network.n_units: 1; network.p_inh: 1
network.n_units: 1; network.self_connections: false
network.n_units: 2
network.n_units: 3
network.n_units: 2; network.inhibitory_count: random
network.n_units: 0
network.n_units: 46340
network.n_units: 1000000
network.p_inh: 0
network.p_inh: 1
network.p_inh: 1; network.dale_readout: true
network.p_inh: 1; network.dale: false
network.p_inh: 1.0e-300
network.p_rec: 0
network.p_rec: 0; network.gain: scale
network.p_rec: 1.0e-300
network.p_rec: 1
network.p_rec: {ee: 0, ei: 0, ie: 0, ii: 0}
network.p_rec: {ee: 1, ei: 0, ie: 0, ii: 0}
network.p_rec: {ee: 0, ei: 1, ie: 1, ii: 0}
network.p_rec: {ee: 0, ei: 1, ie: 0, ii: 1}; network.gain: scale
network.p_rec: {ee: 0.1}
network.w_gain: 0
network.w_gain: 1.0e-30
network.w_gain: 1.0e+30
network.w_gain: 1.0e+30; network.activation: relu
network.w_gain: 100; network.activation: relu
network.w_gain: 100; network.activation: threshold_power_law
network.W_in_sd: 0
network.W_in_sd: 1.0e+30
network.W_in_sd: 1.0e+30; network.activation: softplus
network.readout_sd: 0
network.readout_sd: 1.0e+30
network.sigma_pre: 0; network.sigma_post: 0
network.sigma_pre: 1.0e+30
network.sigma_post: 1.0e+30
network.sigma_post: 1000
network.tau: 1
network.tau: 1; network.noise_scaling: tutorial
network.tau: 1; network.tau_inh: 100000
network.tau: 100000
network.tau: 100001
network.tau: 0.5
network.tau: 1.0e+300
network.tau: 0
network.dt: 1.0e-300
network.dt: 1.0e-9; network.tau: 1.0e-9
network.dt: 1.0e+9; network.tau: 1.0e+9
network.dt: 0.1
network.activation: tanh
network.activation: tanh; network.dale: false; network.p_inh: 0
network.activation: softplus
network.activation: relu; network.centring_bias: false; network.balance_rows: false
network.activation: threshold_power_law
network.dale_inputs: true
network.dale_inputs: true; network.W_in_sd: 0
network.dale_readout: true; network.n_units: 2
network.balance_rows: true; network.p_inh: 0
network.gain: scale; network.n_units: 1
network.weight_distribution: gamma; network.gamma_shape: 0.001
network.weight_distribution: gamma; network.gamma_shape: 1000000
network.weight_distribution: lognormal; network.lognormal_sigma: 10
network.weight_distribution: lognormal; network.lognormal_sigma: 1.0e-300
network.readout_start: uniform; network.n_units: 1
network.self_connections: false; network.p_rec: 1
network.model: adaptation
network.model: adaptation; network.parameters: {tau_w: 1}
network.model: adaptation; network.parameters: {tau_w: 1.0e+30}
network.model: adaptation; network.parameters: {tau_w: 0.5}
network.model: adaptation; network.parameters: {g_w: 0}
network.model: adaptation; network.parameters: {g_w: 1.0e+30}
network.model: adaptation; network.parameters: {g_w: 1000}
network.model: adaptation; network.parameters: {g_w: [0, 1, 2]}
network.model: adaptation; network.parameters: {g_w: {excitatory: 1, inhibitory: 0}}
network.model: adaptation; network.parameters: {g_w: {excitatory: 1}}
network.model: adaptation; network.parameters: {g_w: []}
network.model: adaptation; network.parameters: {g_w: null}
network.model: adaptation; network.parameters: {U: 0.5}
network.model: adaptation; network.n_units: 1
network.model: short_term_plasticity
network.model: short_term_plasticity; network.parameters: {U: 0}
network.model: short_term_plasticity; network.parameters: {U: 1}
network.model: short_term_plasticity; network.parameters: {U: 1.1}
network.model: short_term_plasticity; network.parameters: {r_max: 0}
network.model: short_term_plasticity; network.parameters: {r_max: 1000}
network.model: short_term_plasticity; network.parameters: {tau_u: 1, tau_d: 1}
network.model: short_term_plasticity; network.activation: relu; network.parameters: {r_max: 1000}
network.model: short_term_plasticity; network.p_rec: 0
network.parameters: {tau: 3}
network.parameters: null
network.model: spiking

train.n_networks: 1
train.n_networks: 1000000000
train.max_iterations: 1
train.max_iterations: 1; train.check_every: 1
train.check_every: 1000000000
train.batch_size: 1
train.batch_size: 64
train.batch_size: 65
train.learning_rate: 1.0e+30
train.learning_rate: 1.0e+30; train.clip_norm: null; network.activation: relu
train.learning_rate: 1.0e-30
train.learning_rate: 0
train.beta_1: 0; train.beta_2: 0
train.beta_2: 0.9999999999999999
train.beta_1: 0.9999999999999999
train.epsilon: 1.0e-30
train.epsilon: 1.0e+30
train.clip_norm: null
train.clip_norm: 1.0e-30
train.clip_norm: 0
train.checkpoint_every: 0
train.checkpoint_every: 1.0e+30
train.stop_criterion: loss; train.loss_criterion: 1.0e+30
train.stop_criterion: loss; train.loss_criterion: 0
train.stop_criterion: both; train.loss_criterion: 1.0e-30
train.stop_criterion: either; train.loss_criterion: 0
train.accuracy_criterion: 0
train.accuracy_criterion: 1
train.accuracy_criterion: 0; train.patience: 1; train.check_every: 1
train.patience: 1000000000
train.early_abandon: {after: 1, below: 1}
train.early_abandon: {after: 1, below: 0}
train.early_abandon: {after: 1000}
train.early_abandon: {after: 1000000000, below: 1}
train.early_abandon: {}
train.early_abandon: {after: 1, below: 1}; train.require_convergence: true
train.require_convergence: true
train.trainable: {W_in: false, W_rec: false, b_rec: false, W_out: false, b_out: true}
train.trainable: {W_in: true, W_rec: false, b_rec: false, W_out: false, b_out: false}
train.trainable: {W_in: false, W_rec: false, b_rec: true, W_out: false, b_out: false}
train.trainable: {W_in: true, W_rec: true, b_rec: true, W_out: true, b_out: true}; network.p_rec: 0
train.trainable: {W_in: false, W_rec: false, b_rec: false, W_out: false, b_out: false}
train.trainable: {W_in: false}
train.trainable.tau: true
train.trainable.tau: true; network.tau: 1
train.trainable.tau: true; network.tau_inh: 100000; train.learning_rate: 1000
train.trainable.tau: true; network.noise_scaling: tutorial; network.sigma_pre: 0
train.trainable.tau: true; train.backend: torch
train.trainable.parameters: [tau]
train.trainable.parameters: [tau_w]
train.trainable.parameters: [tau_w, g_w]; network.model: adaptation
train.trainable.parameters: [U, U, r_max]; network.model: short_term_plasticity; train.learning_rate: 10
train.trainable.parameters: [g_w]; network.model: adaptation; network.parameters: {g_w: 0}
train.trainable.parameters: tau_w
train.penalties: {rates: 1.0e+30, W_rec: 0, W_out: 0}
train.penalties: {rates: 0, W_rec: 1.0e+30, W_out: 1.0e+30}
train.penalties: {rates: 0, W_rec: 1, W_out: 0}; network.p_rec: 0
train.threads: 1
train.threads: 1000
train.threads: 2147483647
train.threads: 0
train.backend: torch
train.backend: torch; train.device: cuda
train.backend: torch; train.device: mps
train.backend: native; train.device: cuda
train.backend: reference; train.max_iterations: 2
train.backend: reference64; train.max_iterations: 2; network.n_units: 1

evaluate.sample_trials: 1
evaluate.sample_trials: 1000000000
evaluate.sample_trials: 0
evaluate: {}
evaluate: null

analyze.trials_per_condition: 1
analyze.trials_per_condition: 1000000000
analyze.n_components: 1
analyze.n_components: 2
analyze.n_components: 1000000000
analyze.weight_bins: 1
analyze.weight_bins: 1000000
analyze.weight_bins: 2147483647
analyze.time_bin: 1
analyze.time_bin: 110
analyze.time_bin: 111
analyze.time_bin: 1000000000
analyze.denoise_components: 1
analyze.denoise_components: 1000000000
analyze.fixed_points.starts: 1
analyze.fixed_points.starts: 1000000000
analyze.fixed_points.iterations: 1
analyze.fixed_points.tolerances: [1.0e+30]
analyze.fixed_points.tolerances: [1.0e-30]
analyze.fixed_points.tolerances: [1.0e-300]
analyze.fixed_points.tolerances: [1.0e+30, 1.0e-300]
analyze.fixed_points.tolerances: [1, 1]
analyze.fixed_points.tolerances: []
analyze.fixed_points.merge_distance: 1.0e-30
analyze.fixed_points.merge_distance: 1.0e+30
analyze.fixed_points.outlier_distance: 1.0e-30
analyze.fixed_points.outlier_distance: 1.0e+30
analyze.roles.permutations: 1
analyze.roles.permutations: 1000000000
analyze.roles.false_discovery_rate: 0
analyze.roles.false_discovery_rate: 1
analyze.roles.silent_rate: 0
analyze.roles.silent_rate: 1.0e+30
analyze.roles.saturated_rate: 1.0e-30
analyze.roles.silent_rate: 0.9; analyze.roles.saturated_rate: 0.1
analyze.lesions.doses: [0]
analyze.lesions.doses: [1]
analyze.lesions.doses: [1.0e-300]
analyze.lesions.doses: [0.5, 0.5]
analyze.lesions.doses: [1, 0]
analyze.lesions.doses: []
analyze.lesions.draws: 100
analyze.lesions.draws: 2147483647
analyze.lesions.trials_per_condition: 1
analyze.lesions.trials_per_condition: 1000000000
analyze.generalisation.trials_per_condition: 1
analyze.generalisation.trials_per_condition: 1000000000
analyze.generalisation.delay: []
analyze.generalisation.stim_dur: []
analyze.generalisation.evidence: []
analyze.generalisation.noise: []
analyze.generalisation.response_delay: []
analyze.generalisation: {trials_per_condition: 1, delay: [], response_delay: [], stim_dur: [], evidence: [], \
noise: [], bootstraps: 1}
analyze.generalisation.delay: [0]
analyze.generalisation.delay: [5, 5]
analyze.generalisation.delay: [50, 0, 20]
analyze.generalisation.delay: [1000000000]
analyze.generalisation.stim_dur: [1.0e-30]
analyze.generalisation.stim_dur: [1.0e+6]
analyze.generalisation.stim_dur: [1.0e+30]
analyze.generalisation.evidence: [1.0e-30]
analyze.generalisation.evidence: [1.0e+30]
analyze.generalisation.evidence: [0.5]
analyze.generalisation.evidence: [0.1, 0.1]
analyze.generalisation.evidence: [0.1]; tasks.perceptual_decision.test_trials: 10
tasks.perceptual_decision.coherences: [0.5]; tasks.perceptual_decision.test_trials: 2
analyze.generalisation.noise: [0]
analyze.generalisation.noise: [1.0e+30]
analyze.generalisation.noise: [1, 1]
analyze.generalisation.noise: null
analyze.generalisation.bootstraps: 1

report.figures: false
report.dpi: 40
report.dpi: 600
report.dpi: 601
report.dpi: 160.0

publish.experiment: ""
publish.experiment: " a"
publish.experiment: "a\\nb"
publish.experiment: "a\\0b"
publish.experiment: a/b
publish.experiment: é
publish.experiment: 3
publish.experiment: null
"""


def cases() -> list[str]:
    """Every case, as its line."""
    return [line for line in CASES.splitlines() if line]


def write(case: str, path: Path, figures: bool = True) -> list[str]:
    """Write the small configuration with the settings of a case; the names of its tasks."""
    changes = dict(one.strip().partition(":")[::2] for one in case.split("; "))
    odd = {key: yaml.safe_load(value) for key, value in changes.items()}
    named = [key.split(".")[1] for key in odd if key.startswith("tasks.")]
    raw, small = (yaml.safe_load(file.read_text()) for file in (FILE, SMALL))
    small |= SMALLER
    known = raw["tasks"] | yaml.safe_load(MORE_TASKS.read_text())
    for name, task in known.items():
        task |= dict.fromkeys(SPLITS, TRIALS.get(name, 32)) | {"train_trials": TRIALS.get(name, 64)}
    raw["tasks"] = known
    for key, value in (small | {"report.figures": figures}).items():
        put(raw, key, value)
    other = "dmts" if "delay" in case else "mante"  # one task is drawn in this process
    raw["tasks"] = {name: known[name] for name in (named or [other])}
    for key, value in odd.items():
        put(raw, key, value)
    path.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return list(raw["tasks"])


def put(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key."""
    *sections, last = key.split(".")
    for name in sections:
        settings = settings[name]
    settings[last] = value


def refusal(case: str, folder: Path) -> tuple[str, str]:
    """What is said of a case before anything runs: refused, unclear, slow, traceback or, with nothing, accepted."""
    write(case, folder / "params.yaml")
    began = time.process_time()
    try:
        params.load(path=folder / "params.yaml")
        came_to, said = "accepted", ""
    except ParamsError as error:
        said = str(error)
        came_to = "refused" if is_sentence(said) else "unclear"
    except Exception:
        came_to, said = "traceback", traceback.format_exc()
    return ("slow" if time.process_time() - began > SECONDS else came_to), said


def is_sentence(said: str) -> bool:
    """Whether it is one line, and has a remedy."""
    return said.isprintable() and len(said) < 1500 and ";" in said


def run(case: str, folder: Path, figures: bool, answer: Connection) -> None:
    """Run the stages of a case in a folder of its own; answers with what came of it and what was said on the way."""
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    stage = ""
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            names = write(case, Path("params.yaml"), figures)
            for stage in ("generate", "train", "evaluate", "analyze"):
                for name in names:
                    stages[stage](name)
            stage = "report"
            stages[stage]()
        assert Path("reports/index.html").stat().st_size > 10_000
        answer.send(
            ("ran", "; ".join([learned(names), *sorted({str(one.message)[:90] for one in heard})]))
        )
    except UserError as error:
        answer.send(("stopped" if str(error).isprintable() else "unclear", f"{stage}: {error}"))
    except BaseException:
        answer.send(("traceback", f"{stage}: {traceback.format_exc()}"))


def learned(names: list[str]) -> str:
    """How many networks met the criterion."""
    runs = [
        one
        for name in names
        for one in json.loads(Path(f"artifacts/train/{name}/summary.json").read_text())["networks"]
    ]
    return f"{sum(one['converged'] for one in runs)} of {len(runs)} converged"


def outcome(case: str, figures: bool) -> tuple[str, str]:
    """What comes of a case in the end, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        came_to, said = refusal(case, Path(folder))
        if came_to != "accepted":
            return came_to, said
        context = get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(case, Path(folder), figures, theirs))
        process.start()
        theirs.close()
        try:
            if not ours.poll(LONGEST):
                return "hung", ""
            came_to, said = ours.recv()
            return came_to, said
        except EOFError:
            process.join()
            return "died", f"exit {process.exitcode}"
        finally:
            process.kill()
            process.join()


stages: dict[str, Any] = {}


def main() -> None:
    """Run every case, or those that begin so; a line for each, and how many came to what."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("start", nargs="?", default="", help="with which a case begins")
    parser.add_argument("--plain", action="store_true", help="without figures: a third of the time")
    given = parser.parse_args()
    draws = not given.plain
    for name in IMPORTED:  # once, for all that are forked: most of a case's time
        import_module(name)
    flow("rate", "sigmoid")
    if draws:
        figures()
    for name in ("generate", "train", "evaluate", "analyze", "report"):
        stages[name] = runpy.run_path(str(FILE.parent / "stages" / f"{name}.py"))["main"]
    found: Counter[str] = Counter()
    for case in cases():
        if case.startswith(given.start):
            began = time.monotonic()
            came_to, said = outcome(case, draws)
            found[came_to] += 1
            print(f"{came_to:9} {time.monotonic() - began:5.1f} s  {case}  ->  {said}", flush=True)
    counts = ", ".join(f"{n} {came_to}" for came_to, n in found.most_common())
    print(f"of {found.total()}: {counts}")


if __name__ == "__main__":
    main()
