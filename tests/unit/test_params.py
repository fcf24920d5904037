"""Bad settings stop with one sentence that names key, value, what is allowed and the nearest key."""

from __future__ import annotations

import copy
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from ctrnn import params
from ctrnn.core.config import flatten
from ctrnn.errors import ParamsError
from ctrnn.tasks.settings import TaskSettings
from tests.settings import settings

FILE = Path(__file__).parents[2] / "params.yaml"
MORE_TASKS = FILE.parent / "experiments" / "tasks.yaml"


@pytest.fixture
def raw() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def changed(raw: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    new = copy.deepcopy(raw)
    *path, last = key.split(".")
    section = new
    for part in path:
        section = section[part]
    section[last] = value
    return new


def sentence(raw: dict[str, Any]) -> str:
    with pytest.raises(ParamsError) as caught:
        params.check(raw)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_shipped_file_is_valid_and_holds_the_notebooks_settings() -> None:
    settings = params.read(FILE)
    assert set(settings.tasks) >= {"go_nogo", "dmts", "mante", "xor"}
    network = settings.network
    assert (network.n_units, network.dt, network.tau) == (200, 1, 20)
    assert (network.p_rec, network.p_inh, network.w_gain) == (0.2, 0.2, 1.5)
    assert settings.train.max_iterations == 10_000


@pytest.mark.parametrize(("written", "value"), [("1e-05", 1e-5), ("1e+20", 1e20), ("2.5e3", 2.5e3)])
def test_a_number_as_dvc_writes_it_is_a_number(tmp_path: Path, written: str, value: float) -> None:
    text = FILE.read_text()
    line = next(line for line in text.splitlines() if line.startswith("  learning_rate:"))
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(line, f"  learning_rate: {written}"))
    assert params.read(path).train.learning_rate == value


def test_an_unknown_key_names_the_nearest(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "network.p_ihn", 0.3)) == (
        "network.p_ihn is not a setting; did you mean network.p_inh?"
    )


def test_a_misspelled_key_is_told_as_such_and_not_as_missing(raw: dict[str, Any]) -> None:
    raw["network"]["p_ihn"] = raw["network"].pop("p_inh")
    assert sentence(raw) == "network.p_ihn is not a setting; did you mean network.p_inh?"


def test_an_unknown_pair_of_populations_names_the_nearest(raw: dict[str, Any]) -> None:
    raw["network"]["p_rec"] = {"ee": 0.1, "e1": 0.1, "ie": 0.1, "ii": 0.1}
    assert sentence(raw).startswith(
        "network.p_rec.e1 is not a setting; did you mean network.p_rec."
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dealy": 5}, ".dealy is not a setting; did you mean {0}.delay?"),
        ({"delay": -1}, ".delay = -1 is not allowed; give a number at least 0"),
        ({"stim_dur": 400}, ".T = 300 ends before 970 ms = stim_on 50 + stim_dur 400 + "),
        ({"curriculum": []}, ".curriculum is not a setting of a step; give the steps in one list"),
    ],
)
def test_the_settings_of_a_curriculums_step_are_checked_as_the_tasks_are(
    raw: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    where = "tasks.dmts.curriculum.0.settings"
    step = {"settings": settings, "until": 0.9}
    text = sentence(changed(raw, "tasks.dmts.curriculum", [step]))
    assert text.startswith(where + said.format(where))


def test_a_step_of_a_curriculum_has_settings_and_an_accuracy(raw: dict[str, Any]) -> None:
    where = "tasks.dmts.curriculum.0"
    misspelled = [{"settings": {"delay": 5}, "untill": 0.9}]
    assert sentence(changed(raw, "tasks.dmts.curriculum", misspelled)) == (
        f"{where}.untill is not a setting; did you mean {where}.until?"
    )
    too_much = [{"settings": {"delay": 5}, "until": 2}]
    assert sentence(changed(raw, "tasks.dmts.curriculum", too_much)) == (
        f"{where}.until = 2 is not allowed; give a number at least 0 and at most 1"
    )


def test_an_unknown_section_names_the_nearest(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "trian", {})) == "trian is not a setting; did you mean train?"


def test_an_unknown_task_names_the_nearest(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "tasks.mantee", {})) == (
        "tasks.mantee is not a task; did you mean mante?"
    )


def test_an_unknown_key_of_a_task_names_the_nearest(raw: dict[str, Any]) -> None:
    assert "did you mean tasks.dmts.delay?" in sentence(changed(raw, "tasks.dmts.dealy", 20))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("network.p_inh", 1.2, "a number at least 0 and at most 1"),
        ("network.p_inh", -0.1, "a number at least 0 and at most 1"),
        ("network.p_rec", 2, "a number at least 0 and at most 1"),
        ("network.p_rec", "x", "a number at least 0 and at most 1 or a section of its own"),
        ("network.p_rec.ei", 2, "a number at least 0 and at most 1"),
        ("network.p_inh", "0.2", "a number at least 0 and at most 1"),
        ("network.n_units", 0, "a whole number at least 1"),
        ("network.n_units", 10.5, "a whole number at least 1"),
        ("network.n_units", True, "a whole number at least 1"),
        ("network.dale", 1, "true or false"),
        ("network.activation", "step", "one of sigmoid, relu"),
        ("network.w_gain", -1, "a number at least 0 and at most 1e+30"),
        ("network.tau", float("nan"), "a number at least 1e-09 and at most 1000000000"),
        ("network.tau_inh", "fast", "a number at least 1e-09 and at most 1000000000 or null"),
        ("train.accuracy_criterion", 1.5, "a number at least 0 and at most 1"),
        ("train.beta_1", 1.0, "a number at least 0 and below 1"),
        ("train.trainable.W_in", "no", "true or false"),
        ("tasks.mante.evidence", [], "a list, not empty, of"),
        ("tasks.mante.evidence", [0.5, -1], "a number above 0"),
        ("tasks.xor.stim_on", -1, "a number at least 0"),
        ("tasks.xor.response_dur", 0, "a number above 0"),
        ("seed", -1, "a whole number at least 0"),
        ("network", 3, "a section of its own"),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_allowed(
    raw: dict[str, Any], key: str, value: Any, allowed: str
) -> None:
    if key == "network.p_rec.ei":
        raw["network"]["p_rec"] = dict.fromkeys(("ee", "ei", "ie", "ii"), 0.2)
    text = sentence(changed(raw, key, value))
    assert text.startswith(key)
    assert "is not allowed; give " + allowed in text


BOUNDS = [
    ("seed", 0, -1),
    ("network.p_inh", 0, -1e-9),
    ("network.p_inh", 1, 1 + 1e-9),
    ("network.n_units", 1, 0),
    ("network.tau", 1, 1 - 1e-9),  # a time step
    ("network.gamma_shape", 1e-3, 1e-4),
    ("network.w_gain", 0, -1e-9),
    ("network.w_gain", 1e30, 1e31),
    ("network.tau", 1e5, 1e5 + 1),
    ("network.lognormal_sigma", 10, 11),
    ("network.n_units", 46_340, 46_341),
    ("train.epsilon", 1e-30, 1e-31),
    ("seed", 10**18, 10**18 + 1),
    ("analyze.generalisation.evidence", [0.5] * 100, [0.5] * 101),
    ("train.beta_1", 0, -1e-9),
    ("train.beta_1", 1 - 1e-9, 1),
    ("train.beta_2", 0, -1e-9),
    ("train.beta_2", 1 - 1e-9, 1),
    ("tasks.mante.stim_on", 0, -1),
    ("tasks.mante.threshold", 0, -1e-9),
    ("tasks.mante.evidence_sd", 0, -1e-9),
    ("tasks.mante.evidence", [1e-9], [0]),
    ("tasks.mante.train_trials", 64, 63),  # a batch
    ("tasks.go_nogo.nogo_threshold", 0.8, 0.8 + 1e-9),  # the threshold
    ("tasks.go_nogo.T", 100, 99),  # to the end of the response window
    ("analyze.lesions.doses", [0, 1], [1 + 1e-9]),
    ("analyze.lesions.doses", [0], []),
    ("analyze.fixed_points.tolerances", [1e-3, 1e-4], [1e-3, 1e-3]),
    ("analyze.fixed_points.tolerances", [1e-3], []),
    ("report.dpi", 40, 39),
    ("report.dpi", 600, 601),
    ("publish.experiment", "a", ""),
]


@pytest.mark.parametrize(("key", "last", "beyond"), BOUNDS)
def test_a_bound_is_the_last_value_that_is_allowed(
    raw: dict[str, Any], key: str, last: Any, beyond: Any
) -> None:
    params.check(changed(raw, key, last))
    assert sentence(changed(raw, key, beyond)).startswith(key)


def endless(content: Any) -> Any:
    """The same with every number that may have a fraction at infinity."""
    if isinstance(content, dict):
        return {key: endless(value) for key, value in content.items()}
    if isinstance(content, list):
        return [endless(value) for value in content]
    return float("inf") if isinstance(content, float) else content


def count(content: Any) -> int:
    inner = content.values() if isinstance(content, dict) else content
    return (
        sum(map(count, inner)) if isinstance(content, dict | list) else isinstance(content, float)
    )


def test_no_number_may_be_endless() -> None:
    every = settings()
    for section in (every.network, every.train, every.analyze, *every.tasks.values()):
        content = section.model_dump()
        with pytest.raises(ValidationError) as caught:
            type(section).model_validate(endless(content))
        wrong = {error["loc"] for error in caught.value.errors()}
        assert len(wrong) == count(content)


def test_a_coherence_is_at_most_one(raw: dict[str, Any]) -> None:
    raw["tasks"] = {"perceptual_decision": settings().tasks["perceptual_decision"].model_dump()}
    key = "tasks.perceptual_decision.coherences"
    params.check(changed(raw, key, [1.0, 1e-9]))
    for beyond in ([1 + 1e-9], [0.0], []):
        assert sentence(changed(raw, key, beyond)).startswith(key)


def test_settings_of_another_key_cannot_be_told(raw: dict[str, Any]) -> None:
    with pytest.raises(
        ParamsError, match=r"^tasks\.mantee is not in params\.yaml; did you mean mante"
    ):
        params.check(raw).task("mantee")


def test_a_missing_key_is_named(raw: dict[str, Any]) -> None:
    del raw["network"]["tau"]
    assert (
        sentence(raw)
        == "network.tau is missing; give a number at least 1e-09 and at most 1000000000"
    )


@pytest.mark.parametrize("key", ["tau", "tau_inh"])
def test_a_time_constant_shorter_than_a_step_is_refused(raw: dict[str, Any], key: str) -> None:
    assert sentence(changed(raw, f"network.{key}", 0.5)) == (
        f"network.{key} = 0.5 is shorter than network.dt = 1; give {key} >= dt"
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("tasks.mante.stim_dur", 451, "500 ends before 751 ms = stim_on 50 + stim_dur 451 + response_delay 0 + "),
        ("tasks.go_nogo.response_dur", 26, "100 ends before 101 ms = stim_on 50 + stim_dur 25 + response_delay 0 + "),
        ("tasks.dmts.delay", 100, "300 ends before 360 ms = stim_on 50 + stim_dur 50 + delay 100 + stim_dur 50 + "),
        ("tasks.dmts.delay", 50, "300 ends before 310 ms = stim_on 50 + stim_dur 50 + delay 50 + stim_dur 50 + "),
        ("tasks.xor.response_delay", 140, "300 ends before 400 ms = stim_on 50 + stim_dur 50 + delay 10 + "),
    ],
)  # fmt: skip
def test_times_that_do_not_fit_into_the_trial_are_all_named(
    raw: dict[str, Any], key: str, value: int, told: str
) -> None:
    section, _, name = key.rpartition(".")
    text = sentence(changed(raw, key, value))
    assert text.startswith(f"{section}.T = {told}")
    assert f"{name} {value}" in text
    assert re.search(r"before (\d+) ms = .*; give a T of at least \1, or shorter times$", text)


def test_thresholds_in_the_wrong_order_are_refused(raw: dict[str, Any]) -> None:
    text = sentence(changed(raw, "tasks.go_nogo.nogo_threshold", 0.9))
    assert text.startswith("tasks.go_nogo.nogo_threshold = 0.9 is above")


def test_fewer_trials_than_a_batch_are_refused(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "tasks.dmts.train_trials", 32)).startswith(
        "tasks.dmts.train_trials = 32 is less than train.batch_size = 64"
    )


def test_nothing_trainable_is_refused(raw: dict[str, Any]) -> None:
    none = {**dict.fromkeys(raw["train"]["trainable"], False), "parameters": []}
    assert sentence(changed(raw, "train.trainable", none)).startswith("train.trainable.W_rec")


def test_the_native_backend_runs_on_no_other_device(raw: dict[str, Any]) -> None:
    assert "train.backend = 'torch'" in sentence(changed(raw, "train.device", "cuda"))


@pytest.mark.parametrize("tasks", [None, {}, [], "mante"])
def test_no_task_is_refused(raw: dict[str, Any], tasks: Any) -> None:
    assert sentence({**raw, "tasks": tasks}).startswith(f"tasks = {tasks!r} names no task")


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="does not exist"):
        params.read(tmp_path / "params.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("network: [1, 2\n")
    with pytest.raises(ParamsError, match="is not YAML"):
        params.read(broken)
    broken.write_text("- 1\n")
    with pytest.raises(ParamsError, match="is not a mapping"):
        params.read(broken)


@pytest.mark.parametrize(
    ("where", "key", "meant"),
    [
        ("", "train.learning_rate", "write learning_rate in the section train"),
        ("", "tasks.mante.T", "write T in the section tasks.mante"),
        ("train", "early_abandon.after", "write after in the section train.early_abandon"),
        ("network", "network.tau", "write tau in the section network"),
        ("", "train.learning_rat", "did you mean train.learning_rate?"),
        ("", "learning_rate", "did you mean train.learning_rate?"),
        ("network", "p_ihn", "did you mean network.p_inh?"),
        ("train", "xyz", "there are train.n_networks, train.backend, "),
        ("tasks.go_nogo", "evidence", "there are tasks.go_nogo.T, "),
    ],
)
def test_an_unknown_key_is_told_what_it_may_have_meant(
    raw: dict[str, Any], where: str, key: str, meant: str
) -> None:
    section = raw
    for part in filter(None, where.split(".")):
        section = section[part]
    section[key] = 0.1
    assert f" is not a setting; {meant}" in sentence(raw)


@pytest.mark.parametrize("key", ["a\nb", "\0", "\ud800", "x" * 5000, "", 1, None, True])
@pytest.mark.parametrize("where", ["", "network", "tasks", "tasks.mante", "train.early_abandon"])
def test_a_strange_key_is_shown_on_one_short_line(
    raw: dict[str, Any], where: str, key: Any
) -> None:
    raw["train"]["early_abandon"] = {"after": 1, "below": 0.5}
    section = raw
    for part in filter(None, where.split(".")):
        section = section[part]
    section[key] = 3
    text = sentence(raw)
    assert text.isprintable()
    assert len(text) < 900
    assert " is not a " in text


def test_a_long_value_is_cut(raw: dict[str, Any]) -> None:
    text = sentence(changed(raw, "train.device", "x" * 5000))
    assert text.endswith("xxx ... (5002 characters) is not allowed; give one of cpu, cuda, mps")
    assert len(text) < 200


STEPS = "numbers at least 0 and at most 2147483647"
NUMBER = "a whole number at least 1 and at most 2147483647"
TAU = "a number at least 1e-09 and at most 1000000000"
FINITE = "number{} at least -1e+30 and at most 1e+30"
VALUE = (
    f"a {FINITE.format('')} or a section of its own or a list, not empty, of at most 46340 "
    f"{FINITE.format('s')}"
)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("train.early_abandon", 5, "a section of its own or null"),
        ("train.trainable.parameters", "tau_w", "a list, [] for none, of names"),
        ("tasks.xor.curriculum", {}, "a list, [] for none, of at most 100 sections of their own"),
        ("tasks.mante.evidence", 1, "a list, not empty, of at most 100 numbers above 0 and at most 1e+30"),
        ("analyze.generalisation.delay", None, f"a list, [] for none, of at most 10000 {STEPS}"),
        ("network.n_units", 1_000_000, "a whole number at least 1 and at most 46340"),
        ("network.n_units", 2**70, "a whole number at least 1 and at most 46340"),
        ("train.n_networks", 2**70, NUMBER),
        ("tasks.mante.T", 2**70, "a number above 0 and at most 2147483647"),
        ("analyze.roles.permutations", 2**70, NUMBER),
        ("network.tau", 1e300, TAU),
        ("network.dt", 1e-300, TAU),
        ("tasks.mante", 3, "a section of its own"),
        ("network.parameters.g_w", None, VALUE),
        ("network.parameters.g_w", [], VALUE),
        ("network.parameters", None, "a section of its own"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_told_in_words(
    raw: dict[str, Any], key: str, value: Any, allowed: str
) -> None:
    text = f"{key} = {value!r} is not allowed; give {allowed}"
    assert sentence(changed(raw, key, value)) == text


def test_no_count_may_be_larger_than_arrays_can_be(raw: dict[str, Any]) -> None:
    checked = params.check(raw)
    tasks = {name: task.model_dump() for name, task in checked.tasks.items()}
    read = flatten({**checked.model_dump(), "tasks": tasks})
    counts = [key for key, value in read.items() if type(value) is int]
    assert len(counts) > 50
    sentences = {key: sentence(changed(raw, key, 2**70)) for key in counts}
    assert [
        key for key in counts if not sentences[key].startswith(f"{key} = {2**70} is not allowed; ")
    ] == []


def test_half_a_section_says_what_is_missing(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "train.early_abandon", {"after": 1000})) == (
        "train.early_abandon.below is missing; give a number at least 0 and at most 1"
    )


def test_a_step_that_is_too_short_for_floats_is_refused(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "network.dt", 1e-6)) == (
        "network.tau = 20 is longer than 100000 steps of network.dt = 1e-06, of which one changes next to nothing; "
        "give tau <= 100000 dt"
    )


def test_a_loss_that_cannot_be_undercut_is_refused_where_it_is_asked_for(
    raw: dict[str, Any],
) -> None:
    zero = changed(raw, "train.loss_criterion", 0)
    assert params.check(zero).train.loss_criterion == 0
    assert sentence(changed(zero, "train.stop_criterion", "loss")) == (
        "train.loss_criterion = 0 cannot be undercut, which train.stop_criterion = 'loss' asks for; "
        "give a loss_criterion above 0"
    )


def test_a_missing_curriculum_may_be_empty(raw: dict[str, Any]) -> None:
    del raw["tasks"]["dmts"]["curriculum"]
    assert sentence(raw).startswith("tasks.dmts.curriculum is missing; give a list, [] for none")


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "a\tb", "a\u202eb", " a", "a ", "x" * 251])
def test_an_experiment_that_mlflow_cannot_show_is_refused(raw: dict[str, Any], name: str) -> None:
    text = sentence(changed(raw, "publish.experiment", name))
    assert text.startswith("publish.experiment = ")
    assert text.endswith("on one line, without a space at either end")


@pytest.mark.parametrize("name", ["my lab: E/I", "naïve ½", "2001-01-01", "yes", "x" * 250])
def test_other_names_of_experiments_are_kept(raw: dict[str, Any], name: str) -> None:
    assert params.check(changed(raw, "publish.experiment", name)).publish.experiment == name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train_trials": 2}, "train_trials = 2 cannot be balanced over 4 conditions; give a multiple of 4"),
        ({"train_trials": 4}, "train_trials = 4 is less than train.batch_size = 64; give at least one batch"),
        ({"train_trials": 66}, "train_trials = 66 cannot be balanced over 4 conditions; give a multiple of 4"),
        ({"test_trials": 6}, "test_trials = 6 cannot be balanced over 4 conditions; give a multiple of 4"),
    ],
)  # fmt: skip
def test_trials_of_a_step_of_a_curriculum_are_counted(
    raw: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    """Here of the last task: nothing is trained before its mistake is told."""
    last = list(raw["tasks"])[-1]
    step = {"settings": settings, "until": 0.9}
    text = sentence(changed(raw, f"tasks.{last}.curriculum", [step]))
    assert text.startswith(f"tasks.{last}.curriculum.0.settings.{said}")


def test_trials_that_cannot_be_balanced_are_refused(raw: dict[str, Any]) -> None:
    assert sentence(changed(raw, "tasks.xor.test_trials", 2047)) == (
        "tasks.xor.test_trials = 2047 cannot be balanced over 4 conditions; give a multiple of 4"
    )


def test_a_step_that_changes_the_channels_is_refused(raw: dict[str, Any]) -> None:
    raw["tasks"] = yaml.safe_load(MORE_TASKS.read_text())
    step = {"settings": {"n_bits": 2}, "until": 0.5}
    assert sentence(changed(raw, "tasks.flip_flop.curriculum", [step])) == (
        "tasks.flip_flop.curriculum.0.settings = {'n_bits': 2} changes the channels or outputs; "
        "change other settings"
    )


def test_a_long_curriculum_is_refused_at_once(raw: dict[str, Any]) -> None:
    steps = [{"settings": {"stim_dur": 5}, "until": 0.9}] * 10_000
    began = time.process_time()
    text = sentence(changed(raw, "tasks.dmts.curriculum", steps))
    assert time.process_time() - began < 1
    assert text.endswith("of at most 100 sections of their own")


def test_every_key_of_the_shipped_file_is_known(raw: dict[str, Any]) -> None:
    assert set(flatten(raw)) <= set(params.every_key())


def test_populations_of_neighbouring_seeds_share_no_network() -> None:
    populations = [settings(seed=seed, train__n_networks=3).network_seeds for seed in (1, 2, 3)]
    assert len({seed for population in populations for seed in population}) == 9


def test_the_seed_of_a_network_is_exact_as_a_float_and_does_not_depend_on_how_many_there_are() -> (
    None
):
    many = settings(seed=1, train__n_networks=100).network_seeds
    assert many[:3] == settings(seed=1, train__n_networks=3).network_seeds
    assert all(0 <= seed < 2**53 and int(float(seed)) == seed for seed in many)


def test_settings_of_a_task_let_other_bases_hear_of_their_subclasses() -> None:
    heard = []

    class Other:
        def __init_subclass__(cls, **kwargs: Any) -> None:
            heard.append((cls.__name__, kwargs))

    class Settings(TaskSettings, Other, word=3):  # names no task, so that none is entered
        pass

    assert heard == [("Settings", {"word": 3})]


def test_a_file_of_before_is_told_the_new_names_in_one_sentence(raw: dict[str, Any]) -> None:
    train = dict(raw["train"])
    train["hopeless"], train["trials_per_batch"] = (
        train.pop("early_abandon"),
        train.pop("batch_size"),
    )
    assert sentence({**raw, "train": train}) == (
        "train.trials_per_batch is now train.batch_size, train.hopeless is now train.early_abandon; rename them"
    )
    older = {key: value for key, value in train.items() if key != "hopeless"}
    assert sentence({**raw, "train": older}) == (
        "train.trials_per_batch is now train.batch_size; rename it"
    )


def test_a_stage_can_read_no_section_that_it_was_not_handed() -> None:
    handed = params.load("seed", "network", path=FILE)
    assert handed.network == settings().network
    with pytest.raises(AttributeError, match="analyze"):
        _ = handed.analyze


def test_some_sections_are_checked_without_the_others(raw: dict[str, Any]) -> None:
    some = {"seed": 1, "network": raw["network"], "tasks": {"dmts": raw["tasks"]["dmts"]}}
    checked = params.check_part(some)
    assert checked.task("dmts") == settings().task("dmts")
    assert not hasattr(checked, "train")
    with pytest.raises(ParamsError, match=r"network.p_inh = 2 is not allowed"):
        params.check_part({"network": {**raw["network"], "p_inh": 2}})


def test_settings_of_old_weights_are_read_under_their_new_names() -> None:
    train = settings().train.model_dump()
    old = {**train, "stop_at": train["stop_criterion"]}
    del old["stop_criterion"]
    assert type(settings().train).with_names_of_now(old) == train
