"""Functions that equations are made of, beside + - * / and powers.

A model file calls them on whatever it is given: numbers, numpy's arrays, torch's tensors or sympy's symbols. Their form
in C stands in `kernel.c`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any


def exp(x: Any) -> Any:
    """e to the power x."""
    return _function("exp", x)(x)


def log(x: Any) -> Any:
    """Natural logarithm of x > 0."""
    return _function("log", x)(x)


def sqrt(x: Any) -> Any:
    """Square root of x >= 0."""
    return _function("sqrt", x)(x)


def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return _function("logistic", x)(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return _function("tanh", x)(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return _function("softplus", x)(x)


def positive(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0."""
    return _function("positive", x)(x)


def _function(name: str, x: Any) -> Callable[[Any], Any]:
    """The function of this name for a number, a tensor or a symbol."""
    return table(type(x).__module__.partition(".")[0])[name]


@cache
def table(kind: str) -> Mapping[str, Callable[[Any], Any]]:
    """The functions by name, for what comes from the package `kind`: numpy, torch, sympy, else Python's numbers."""
    if kind == "torch":
        import torch

        return {
            "exp": torch.exp,
            "log": torch.log,
            "sqrt": torch.sqrt,
            "logistic": torch.sigmoid,
            "tanh": torch.tanh,
            "softplus": torch.nn.functional.softplus,
            "positive": torch.relu,
            "is_positive": lambda x: (x > 0).to(x.dtype),
        }
    if kind == "numpy":
        import numpy as np

        return {
            "exp": np.exp,
            "log": np.log,
            "sqrt": np.sqrt,
            "logistic": lambda x: 1 / (1 + np.exp(-x)),
            "tanh": np.tanh,
            "softplus": lambda x: np.logaddexp(0, x),
            "positive": lambda x: np.maximum(x, 0),
            "is_positive": lambda x: (x > 0).astype(x.dtype),
        }
    if kind in (
        "sympy",
        "ctrnn",
    ):  # the latter: a function of a symbol, whose class stands in `symbols`
        from ctrnn.dynamics.symbols import SYMBOLIC

        return SYMBOLIC
    return {
        "exp": math.exp,
        "log": math.log,
        "sqrt": math.sqrt,
        "logistic": lambda x: 1 / (1 + math.exp(-x)),
        "tanh": math.tanh,
        "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
        "positive": lambda x: max(x, 0.0),
    }
