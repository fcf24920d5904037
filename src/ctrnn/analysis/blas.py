"""BLAS and LAPACK with the same bits on every x86-64 CPU that has AVX2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ctrnn.kernel.build import NEEDS, best_isa

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
