"""How outputs are judged: what a network answered on a trial, whether that is right, and what it nearly answered.

A task names one of these as its `scoring`; one with another definition of a right trial has a `score` of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped


@dataclass(frozen=True)
class Score:
    """Outcome of trials. A task of several outputs has a response and a choice of each: [trial, output].

    response: mean output over the response window, or the time that was produced, ms; nan for none. choice: the answer
    it amounts to; nan where it is none.
    """

    response: Float[np.ndarray, " trial *output"]
    choice: Float[np.ndarray, " trial *output"]
    correct: Bool[np.ndarray, " trial"]


class Scoring(ABC):
    """Judges the outputs of a task, which is the `Task` that is given to every method."""

    @abstractmethod
    def score(
        self, task: Any, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Score:
        """Outcome of trials."""

    @abstractmethod
    def reason(self, task: Any) -> str:
        """Why analyses that need one choice between two sides leave the task out, as the end of a sentence."""

    def sides(self, task: Any) -> Sequence[float] | None:
        """Every right answer, where a response is nearer to one of them than to others; None where none is."""
        return None

    def has_choice(self, task: Any) -> bool:
        """Whether a trial has one choice."""
        return False

    def choices(self, task: Any, score: Score) -> Shaped[np.ndarray, " trial"]:
        """The choice of each trial, as a number (nan for none) or as a word, of a task that `has_choice`."""
        return score.choice


class Threshold(Scoring):
    """The mean output over the response window must be beyond the threshold on the right side, as `choice` says.

    A wrong-signed answer is wrong, and so is one that is right only outside the window. Of several outputs each must be
    right.
    """

    def score(
        self, task: Any, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Score:
        """See `Scoring.score`."""
        answer = task.answer(rows)
        response = task.mean_output(outputs, rows).reshape(answer.shape)
        choice = task.choice(response)
        correct = (choice == answer).reshape(len(rows), -1).all(axis=1)
        return Score(response, choice, correct)

    def reason(self, task: Any) -> str:
        """See `Scoring.reason`."""
        if task.answers is None:
            return f"{task.name} judges its outputs in a way of its own and names no `answers`"
        if len(task.outputs) > 1:
            return f"each of the {len(task.outputs)} outputs has an answer of its own"
        return f"{task.name} has {len(task.answers)} answers, not two"

    def sides(self, task: Any) -> Sequence[float] | None:
        """The `answers` of the task."""
        answers: Sequence[float] | None = task.answers
        return answers

    def has_choice(self, task: Any) -> bool:
        """Whether there is one output, which is judged by its mean."""
        return task.answers is not None and len(task.outputs) == 1


class LargestOutput(Scoring):
    """Of several outputs the one with the largest mean over the response window is the choice: argmax.

    `answer` has 1 for the right output and 0 for others, and so has the choice.
    """

    def score(
        self, task: Any, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Score:
        """See `Scoring.score`. Outputs that are equal choose the first of them."""
        response = task.mean_output(outputs, rows)
        largest = response.argmax(axis=1)
        choice = np.eye(response.shape[1], dtype=np.float32)[largest]
        return Score(response, choice, largest == task.answer(rows).argmax(axis=1))

    def reason(self, task: Any) -> str:
        """See `Scoring.reason`."""
        return f"the largest of the {len(task.outputs)} outputs of {task.name} is its answer"

    def has_choice(self, task: Any) -> bool:
        """It has."""
        return True

    def choices(self, task: Any, score: Score) -> Shaped[np.ndarray, " trial"]:
        """The name of the largest output."""
        words: np.ndarray = np.array(task.outputs, object)[score.choice.argmax(axis=1)]
        return words


@dataclass(frozen=True)
class Tolerance(Scoring):
    """The mean of every output over the response window must lie within `tolerance` of its answer, which is a value."""

    tolerance: float

    def score(
        self, task: Any, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Score:
        """See `Scoring.score`; there is no choice."""
        answer = task.answer(rows)
        response = task.mean_output(outputs, rows).reshape(answer.shape)
        off = np.abs(response - answer).reshape(len(rows), -1)
        return Score(response, np.full_like(response, np.nan), (off <= self.tolerance).all(axis=1))

    def reason(self, task: Any) -> str:
        """See `Scoring.reason`."""
        return f"the answer of {task.name} is a value, right within {self.tolerance:g}"


@dataclass(frozen=True)
class ProducedTime(Scoring):
    """The first output must rise above `threshold` at the right time after the response window begins.

    `answer` is that time, ms. The time that is produced may be off by `tolerance` of it, as a share: the spread of
    produced intervals grows with the interval (Jazayeri & Shadlen 2010, Nat Neurosci 13:1020).
    """

    threshold: float
    tolerance: float

    def score(
        self, task: Any, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
    ) -> Score:
        """See `Scoring.score`. The response is the time of the first step in the window above the threshold, ms."""
        begin, end = task.windows(rows).T
        at = np.arange(len(outputs))[:, None]
        above = (outputs[..., 0] > self.threshold) & (begin <= at) & (at < end)
        steps = np.where(above.any(axis=0), above.argmax(axis=0) - begin, np.nan)
        produced, answer = (steps * task.dt).astype(np.float32), task.answer(rows)
        correct = np.abs(produced - answer) <= self.tolerance * answer
        return Score(produced, np.full_like(produced, np.nan), correct)

    def reason(self, task: Any) -> str:
        """See `Scoring.reason`."""
        return f"the answer of {task.name} is a time"

    def sides(self, task: Any) -> Sequence[float] | None:
        """The times of all conditions."""
        times: list[float] = np.unique(task.answer(task.conditions())).tolist()
        return times


def right_side(
    response: Float[np.ndarray, " trial *output"],
    answer: Float[np.ndarray, " trial *output"],
    answers: Sequence[float],
) -> Bool[np.ndarray, " trial"]:
    """Whether a response is nearer to its right answer than to any other of `answers`, however far it falls short.

    It tells a network that knows the answer but does not reach the threshold from one that does not know it. Of several
    outputs each must be. No response (nan) is near to none. Raises ValueError where a right answer is not among
    `answers`.
    """
    every = np.array(answers, answer.dtype)
    if len(strange := np.setdiff1d(answer, every)):
        raise ValueError(
            f"{strange[0]:g} is a right answer and not among the answers {list(answers)}; "
            "name it in the task's `answers`"
        )
    nearest = every[np.abs(response[..., None] - every).argmin(axis=-1)]
    near = (nearest == answer) & ~np.isnan(response)
    on_side: np.ndarray = near.reshape(len(answer), -1).all(axis=1)
    return on_side
