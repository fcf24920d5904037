"""The functions of `ctrnn.dynamics.functions` of sympy's symbols, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy import Expr, Function, Integer


class exp(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return self


class log(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 / self.args[0]


class logistic(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)


class tanh(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 - self**2


class softplus(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return logistic(self.args[0])


class positive(Function):
    def fdiff(self, argindex: int = 1) -> Expr:
        return is_positive(self.args[0])


class is_positive(Function):
    """1 where x > 0, else 0."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


SYMBOLIC: Mapping[str, Callable[[Any], Any]] = {
    "exp": exp,
    "log": log,
    "sqrt": sympy.sqrt,
    "logistic": logistic,
    "tanh": tanh,
    "softplus": softplus,
    "positive": positive,
}
