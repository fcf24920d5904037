"""Section `analyze` of params.yaml, and every analysis of a population, with the arrays and metrics that it leaves.

BLAS and LAPACK give the same bits on every x86-64 CPU that has AVX2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import create_model

from ctrnn.analysis import analyses
from ctrnn.analysis.recording import Recording, SharedSettings
from ctrnn.core.artifacts import rounded
from ctrnn.core.config import Section
from ctrnn.kernel.build import NEEDS, best_isa


def section_of(module: ModuleType) -> type[Section] | None:
    """The Section that an analysis defines, as opposed to those that it imports; None where it has no settings."""
    own = (
        kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__
    )
    return next(
        (kind for kind in own if isinstance(kind, type) and issubclass(kind, Section)), None
    )


def _default(kind: type[Section]) -> Any:
    """The section where all its settings have defaults, so that it may be left out; else it is required."""
    required = any(field.is_required() for field in kind.model_fields.values())
    return ... if required else kind()


if TYPE_CHECKING:

    class AnalyzeSettings(SharedSettings):
        """Section `analyze`."""

        def __getattr__(self, name: str) -> Any:
            """The section of an analysis."""
else:
    AnalyzeSettings = create_model(
        "AnalyzeSettings",
        __base__=SharedSettings,
        __doc__="Section `analyze`.",
        __module__=__name__,
        **{
            name: (kind, _default(kind))
            for name, module in analyses().items()
            if (kind := section_of(module))
        },
    )


CHOICE = "OPENBLAS_CORETYPE"  # which OpenBLAS reads when it starts
CORE = "Haswell"  # runs on every x86-64 CPU with AVX2


@contextmanager
def same_blas() -> Iterator[None]:
    """Inside, OpenBLAS (numpy's and scipy's) uses its kernels for Haswell and one thread.

    Its kernels for other CPUs sum in other orders, and so do several threads, which are slower anyway on matrices of
    this size. Where the CPU has no AVX2, or the BLAS is another, the kernels stay as they are.
    """
    from threadpoolctl import (
        threadpool_limits,
    )  # here, since params.yaml is checked by way of this package

    with threadpool_limits(1, "blas"):
        if not same_everywhere():
            yield
            return
        before = os.environ.get(CHOICE)
        try:
            _start_again(CORE)
            yield
        finally:
            _start_again(before)


def same_everywhere() -> bool:
    """Whether this CPU and every BLAS in this process can use the kernels for Haswell."""
    return best_isa() in NEEDS and all(
        library.internal_api == "openblas" and hasattr(library.dynlib, "gotoblas_dynamic_init")
        for library in _libraries()
    )


def _start_again(core: str | None) -> None:
    """Let every OpenBLAS choose its kernels anew: those of `core`, or of the CPU for None."""
    os.environ.pop(CHOICE, None)
    if core is not None:
        os.environ[CHOICE] = core
    for library in _libraries():
        library.dynlib.gotoblas_dynamic_quit()
        library.dynlib.gotoblas_dynamic_init()


def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    libraries: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


@dataclass(frozen=True)
class Analysis:
    """arrays: of each npz file by its stem; metrics: of reports/analyze/<task>.json."""

    arrays: dict[str, dict[str, np.ndarray]]
    metrics: dict[str, Any]


@same_blas()
def analyze(recording: Recording) -> Analysis:
    """Run every analysis of the registry, and print what is left out of this task, and which times are held.

    Args:
        recording: The networks before and after training, and what they are tested on.

    Returns:
        The arrays of every analysis by its name, and the metrics of all, with six digits.

    Raises:
        ValueError: Two analyses give a metric the same name.
    """
    recording = recording.with_times_held()
    told = {"left_out": recording.task.left_out, "held_times": recording.held}
    told = {key: sentence for key, sentence in told.items() if sentence}
    for sentence in told.values():
        print(f"analyze@{recording.task.name}: {sentence}", flush=True)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    metrics: dict[str, Any] = {}
    for name, module in analyses().items():
        arrays[name], of_analysis = recording.once(module.compute)
        if taken := sorted(metrics.keys() & of_analysis.keys()):
            raise ValueError(
                f"{name} names a metric {taken[0]}, as another analysis does; rename it"
            )
        metrics |= of_analysis
    return Analysis(arrays, rounded(metrics | told))
