"""Context-dependent integration with graded evidence on both channels, for psychometric curves.

As in Mante, Sussillo, Shenoy & Newsome (2013, Nature 503:78), six signed strengths of motion and six of colour in each
context: choices should follow the relevant evidence steeply, and the irrelevant one hardly.
"""

from __future__ import annotations

from ctrnn.tasks.mante import Mante, ManteSettings


class ManteGradedSettings(ManteSettings, task="mante_graded"):
    """Section `tasks.mante_graded`."""


class ManteGraded(Mante):
    """Mante's task with a section of its own, so that it stands beside the one with a single strength."""

    name = "mante_graded"
