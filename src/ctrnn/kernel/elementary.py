"""The logistic function and the logarithm in float64, with the same bits on every machine.

numpy takes exp and log from code for AVX-512 or from the C library, which chooses by CPU too: their last bits differ.
These two are made of additions, multiplications and divisions, which IEEE 754 rounds one way. The logistic function is
within 4 units in the last place, the logarithm within 2.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ctrnn.kernel.library import address, library

Doubles = NDArray[np.float64]

LN2, LN2_REST = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # as in kernel.c
ROUNDS = 1.5 * 2.0**52  # added and taken away, it leaves a whole number
EXP = (0.0, 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
       -1.65339022054652515390e-06, 4.13813679705723846039e-08)  # fmt: skip
LOG = (0.0, 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
       1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01)  # fmt: skip


def logistic(x: Doubles) -> Doubles:
    """1 / (1 + exp(-x)), by the compiled kernel where one can be built, else by the definition below: the same bits."""
    return _by_kernel("ctrnn_logistic", x) if _kernel() else logistic_definition(x)


def log(x: Doubles) -> Doubles:
    """Natural logarithm of finite numbers from 0 up, -inf for 0; computed as `logistic` is."""
    return _by_kernel("ctrnn_log", x) if _kernel() else log_definition(x)


def logistic_definition(x: Doubles) -> Doubles:
    """What `logistic` returns, in numpy."""
    a = np.maximum(-np.abs(x), -708.0)  # exp of less is no normal number
    shifted = a * 1.4426950408889634 + ROUNDS
    k = shifted - ROUNDS
    high, low = a - k * LN2, k * LN2_REST
    r = high - low
    c = r - _polynomial(EXP, r * r)
    power = 1.0 - ((low - r * c / (2.0 - c)) - high)
    power = (power.view(np.int64) + (shifted.view(np.int64) << 52)).view(np.float64)
    return np.where(x < 0, power, 1.0) / (1.0 + power)


def log_definition(x: Doubles) -> Doubles:
    """What `log` returns, in numpy."""
    part, power = np.frexp(x)
    low = part < np.sqrt(0.5)
    f, k = np.where(low, 2 * part, part) - 1, power - low
    s = f / (2 + f)
    half = 0.5 * f * f
    logarithm = k * LN2 - ((half - (s * (half + _polynomial(LOG, s * s)) + k * LN2_REST)) - f)
    return np.where(x == 0, -np.inf, logarithm)


def _polynomial(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """c0 + x (c1 + x (c2 + ...))."""
    *others, last = coefficients
    total = np.full_like(x, last)
    for coefficient in reversed(others):
        total = total * x + coefficient
    return total


@cache
def _kernel() -> ctypes.CDLL | None:
    try:
        return library()
    except RuntimeError:
        return None


def _by_kernel(name: str, x: Doubles) -> Doubles:
    x = np.ascontiguousarray(x, np.float64)
    y = np.empty_like(x)
    getattr(_kernel(), name)(address(x), x.size, address(y))
    return y
