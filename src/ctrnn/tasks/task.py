"""What a task is: its conditions, the inputs of a trial, the answer that is right, and how it is scored.

A trial is a row of phases, which the settings of the task name (`settings.Phases`); the length of each is the same in
all trials, or drawn for every trial and a column of the trial table. What a task tells the analyses is the constant
inputs under which a network waits.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped

from ctrnn.kernel.losses import Loss, MeanSquaredError
from ctrnn.tasks.drawn import Drawn
from ctrnn.tasks.scoring import Score, Scoring, Threshold, right_side
from ctrnn.tasks.settings import Phases


@dataclass(frozen=True)
class ConstantInput:
    """A constant input under which fixed points are looked for.

    inputs: a value per channel. trials: condition variables and the values that pick the trials seen under this input;
    none picks all. relevant, irrelevant: the channel that decides the answer in these trials and the one to be
    ignored, where the task has such a pair; they are condition variables of the same names too.
    """

    name: str
    inputs: tuple[float, ...]
    trials: Mapping[str, str | float] = field(default_factory=dict)
    relevant: str | None = None
    irrelevant: str | None = None

    def picks(self, rows: pd.DataFrame) -> Bool[np.ndarray, " trial"]:
        """Which rows of a trial table are seen under this input."""
        chosen = np.ones(len(rows), bool)
        for variable, value in self.trials.items():
            chosen &= (rows[variable] == value).to_numpy(bool)
        return chosen


S = TypeVar("S", bound=Phases)


@dataclass(frozen=True)
class Batch:
    """Trials, rendered: what a network sees, what it should answer, and where the loss counts, or by how much."""

    inputs: Float[np.ndarray, "time trial channel"]
    targets: Float[np.ndarray, "time trial output"]
    mask: Bool[np.ndarray, "time trial output"] | Float[np.ndarray, "time trial output"]
    conditions: pd.DataFrame  # the rows of the trial table


class Task(ABC, Generic[S]):
    """A task with its settings, at a time step. A batch is a pure function of rows of the trial table.

    settings: as params.yaml has them, times in ms. dt: length of a step, ms. All trials of a task have `steps.T` steps;
    a trial that ends sooner has no input and no loss from its end on.

    A subclass sets `name` and `channels`, and defines `conditions`, `inputs` and `answer`; one whose answer is
    not a sign overrides `choice`, one whose target is not a step `targets`, one with several outputs sets `outputs`,
    one that shows a constant input over a trial `epochs`, one whose evidence comes in strengths `graded` and
    `evidence`.

    scoring: how outputs are judged, one of `ctrnn.tasks.scoring`. loss: what training makes small, a
    `ctrnn.kernel.Loss`. answers: where that is `Threshold`, all the right
    answers that an output can have, by its mean over the response window; None where an output is judged otherwise. A
    subclass with a `choice` or `score` of its own has None unless it says otherwise. Analyses leave out what needs
    them: see `left_out`.
    """

    name: ClassVar[str]
    channels: tuple[str, ...]
    outputs: tuple[str, ...] = ("answer",)
    scoring: Scoring = Threshold()
    loss: Loss = MeanSquaredError()
    answers: ClassVar[tuple[float, ...] | None] = (-1.0, 1.0)
    evidence_unit: str = "mean evidence"  # of `graded` and `evidence`

    def __init__(self, settings: S, dt: float) -> None:
        self.settings, self.dt = settings, dt

    @cached_property
    def steps(self) -> Any:
        """The settings with times in steps and white noise as that of a step, for what is made step by step.

        A time that is drawn for every trial is the longest here; `during` has each trial's own. Raises ParamsError
        where a time is no whole number of steps.
        """
        return self.settings.in_steps(self.dt, f"tasks.{self.name}")

    @cached_property
    def drawn(self) -> dict[str, Drawn]:
        """The times that are drawn for every trial; one that is a variable of the conditions is balanced instead."""
        variables = self.conditions().columns
        return {name: own for name, own in self.settings.drawn.items() if name not in variables}

    def lengths(self, rows: pd.DataFrame) -> dict[str, Int[np.ndarray, " trial"]]:
        """Steps of every phase, in the order of the phases; a drawn time is rounded to whole steps."""
        drawn = self.settings.drawn
        if lacking := [name for name in drawn if name not in rows]:
            raise ValueError(
                f"trials of {self.name} lack the column {lacking[0]}, the time that is drawn for each; take rows of "
                "tasks.trial_table"
            )
        return {
            phase: _halves_up(rows[setting].to_numpy(np.float64) / self.dt)
            if setting in drawn
            else np.full(len(rows), getattr(self.steps, setting))
            for phase, setting in self.settings.phases.items()
        }

    def during(self, rows: pd.DataFrame, phase: str) -> Bool[np.ndarray, "time trial"]:
        """Which steps of each trial are those of a phase."""
        lengths = self.lengths(rows)
        begin = self.steps.begin(phase) - self._sooner(lengths, phase)
        return self._between(begin, begin + lengths[phase])

    def windows(self, rows: pd.DataFrame) -> Int[np.ndarray, "trial 2"]:
        """First step of the response window of each trial, and the first one after it."""
        lengths = self.lengths(rows)
        begin = self.steps.window.start - self._sooner(lengths, "response")
        return np.stack([begin, begin + lengths["response"]], axis=1)

    def ends(self, rows: pd.DataFrame) -> Int[np.ndarray, " trial"]:
        """Steps of each trial, as many of them after its last phase as in the longest trial."""
        ends: np.ndarray = self.steps.T - self._sooner(self.lengths(rows))
        return ends

    def _sooner(
        self, lengths: dict[str, np.ndarray], phase: str | None = None
    ) -> Int[np.ndarray, " trial"]:
        """By how many steps a phase begins sooner in each trial than in the longest; None: the end of the trial."""
        names = list(lengths)
        before = names[: names.index(phase)] if phase else names
        longest = {name: getattr(self.steps, self.settings.phases[name]) for name in names}
        sooner: np.ndarray = np.sum([longest[name] - lengths[name] for name in before], axis=0)
        return sooner if before else np.zeros_like(lengths[names[0]])

    def _between(
        self, begin: Int[np.ndarray, " trial"], end: Int[np.ndarray, " trial"]
    ) -> Bool[np.ndarray, "time trial"]:
        at = np.arange(self.steps.T)[:, None]
        inside: np.ndarray = (begin <= at) & (at < end)
        return inside

    def _in_window(self, rows: pd.DataFrame) -> Bool[np.ndarray, "time trial"]:
        return self._between(*self.windows(rows).T)

    def held(self) -> Self:
        """The same task with every time that is drawn at its median; the task itself where nothing is drawn."""
        medians = {name: own.median(self.dt) for name, own in self.drawn.items()}
        return self.with_settings(self.settings.varied(**medians)) if medians else self

    def with_settings(self, settings: S) -> Self:
        """The same task with other settings."""
        return type(self)(settings, self.dt)

    def at(self, dt: float) -> Self:
        """The same task at another time step, ms."""
        return type(self)(self.settings, dt)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Leave no answers to a subclass that judges outputs in its own way and names none."""
        super().__init_subclass__(**kwargs)
        if vars(cls).keys() & {"choice", "score"} and "answers" not in vars(cls):
            cls.answers = None

    @abstractmethod
    def conditions(self) -> pd.DataFrame:
        """A row per condition; its columns are the condition's variables."""

    @abstractmethod
    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """What the network sees on these trials."""

    @abstractmethod
    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial *output"]:
        """The output that is right during the response window; [trial, output] where there are several."""

    def choice(
        self, response: Float[np.ndarray, " trial *output"]
    ) -> Float[np.ndarray, " trial *output"]:
        """The answer that a mean output amounts to, nan where it is none: here its sign, beyond the threshold."""
        beyond = np.abs(response) > self.steps.threshold
        return np.where(beyond, np.sign(response), np.nan).astype(np.float32)

    def targets(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        """The right output at every step: the answer during the response window, else 0."""
        answer = self.answer(rows).reshape(len(rows), -1).astype(np.float32)
        return np.where(self._in_window(rows)[..., None], answer, np.float32(0))

    def mask(
        self, rows: pd.DataFrame
    ) -> Bool[np.ndarray, "time trial output"] | Float[np.ndarray, "time trial output"]:
        """Where the loss counts: over the whole trial, or over baseline and response window only.

        A task's own may be weights, float32: by how much a step counts.
        """
        whole = self.settings.loss_over == "trial"
        mask = np.full((self.steps.T, len(rows), len(self.outputs)), whole)
        mask[self._in_window(rows) | self.during(rows, next(iter(self.settings.phases)))] = True
        return mask

    def constant_inputs(self) -> tuple[ConstantInput, ...]:
        """The constant inputs under which a network waits for what comes: here no input, as in delay and response."""
        return (ConstantInput("no_input", (0.0,) * len(self.channels)),)

    def graded(self, sizes: Sequence[float]) -> pd.DataFrame | None:
        """Conditions with evidence of these sizes and either sign; None for a task without strengths of evidence."""
        return None

    def evidence(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Evidence of trials with `graded` conditions, a column for each kind, signed by the answer it speaks for."""
        raise NotImplementedError

    @property
    def best_accuracy(self) -> float:
        """Share of trials that an ideal observer is right on: 1, unless noise on the inputs hides the answer."""
        return 1.0

    @property
    def is_graded(self) -> bool:
        """Whether evidence comes in strengths."""
        return self.graded((1.0,)) is not None

    @property
    def sides(self) -> Sequence[float] | None:
        """All right answers, to one of which a response is nearest; None where sides mean nothing."""
        return self.scoring.sides(self)

    @property
    def has_choice(self) -> bool:
        """Whether a trial has one choice."""
        return self.scoring.has_choice(self)

    @property
    def has_curve(self) -> bool:
        """Whether trials have a choice between two answers, by evidence of some strength."""
        return self.is_graded and self.has_choice and len(self.sides or ()) == 2

    @property
    def left_out(self) -> str:
        """What analyses leave out of this task, and why, in a sentence; empty where they leave out nothing."""
        missing = {
            "psychometric functions": self.is_graded and not self.has_curve,
            "the right side": self.sides is None,
            "the axis of the choice": not self.has_choice,
        }
        names = ", ".join(name for name, is_missing in missing.items() if is_missing)
        counted = "; lesions and generalisation count correct trials" * (self.sides is None)
        return f"Left out: {names}{counted}, since {self.scoring.reason(self)}." if names else ""

    def varied_settings(self) -> tuple[str, ...]:
        """What networks are tested on after training: settings of timing, and the strength of `evidence`."""
        return (*self.settings.varied_times, *(("evidence",) if self.is_graded else ()))

    def render(self, rows: pd.DataFrame) -> Batch:
        """The batch of these trials."""
        batch = Batch(self.inputs(rows), self.targets(rows), self.mask(rows), rows)
        if self.settings.drawn:
            over = self._between(self.ends(rows), np.full(len(rows), self.steps.T))
            inputs, targets, mask = (
                np.where(over[..., None], array.dtype.type(0), array)
                for array in (batch.inputs, batch.targets, batch.mask)
            )
            return Batch(inputs, targets, mask, rows)
        return batch

    def mean_output(
        self, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Float[np.ndarray, "trial output"]:
        """Mean of every output over each trial's response window."""
        if not self.settings.drawn:
            of_all: np.ndarray = outputs[self.steps.window].mean(axis=0)
            return of_all
        inside = self._in_window(rows)[..., None]
        mean: np.ndarray = np.where(inside, outputs[: self.steps.T], 0).sum(axis=0)
        mean /= inside.sum(axis=0)
        return mean

    def score(self, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame) -> Score:
        """Outcome of trials, by the task's `scoring`."""
        return self.scoring.score(self, outputs, rows)

    def near(
        self, response: Float[np.ndarray, " trial *output"], rows: pd.DataFrame
    ) -> Bool[np.ndarray, " trial"] | None:
        """Whether a response is nearer to the right answer than to any other; None for a task without `sides`."""
        return None if self.sides is None else right_side(response, self.answer(rows), self.sides)

    def choices(self, score: Score) -> Shaped[np.ndarray, " trial"]:
        """The choice of each trial, as a number (nan for none) or as a word, of a task that `has_choice`."""
        return self.scoring.choices(self, score)


def accuracy_of_integration(strengths: Sequence[float], deviation: float, duration: float) -> float:
    """Share of trials whose sign an observer tells who adds up all the evidence, which none can better.

    The sum has mean e d and standard deviation s sqrt(d), and the wrong sign with probability Phi(-e sqrt(d) / s)
    (Green & Swets 1966, Signal Detection Theory and Psychophysics).

    Args:
        strengths: Mean evidence e of the conditions, which are equally frequent.
        deviation: s, of the evidence at steps of 1 ms.
        duration: d, of the evidence, ms.
    """
    if not deviation:
        return 1.0
    z = [strength * math.sqrt(duration) / deviation for strength in strengths]
    return sum(0.5 * math.erfc(-value / math.sqrt(2)) for value in z) / len(z)


def _halves_up(numbers: Float[np.ndarray, "*any"]) -> Int[np.ndarray, "*any"]:
    """Nearest whole numbers: of steps between two coarse ones, as many go up as go down."""
    return np.floor(numbers + 0.5 + 1e-9).astype(np.int64)
