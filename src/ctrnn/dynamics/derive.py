"""From a model's equations: the C of the kernel, forward and adjoint, and functions of tensors and arrays.

The equations are run on sympy's symbols. The synaptic current and the noise enter one state, linearly, with factors of
parameters alone, so that the sparse products and the noise can be added by hand. What depends on parameters alone is
computed once per unit: a coefficient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

import sympy
from sympy import Add, Expr, Function, Integer, Mul, Number, Symbol

from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.model import GENERAL, Model
from ctrnn.dynamics.models import models
from ctrnn.dynamics.symbols import is_positive, positive
from ctrnn.errors import UserError

CURRENT, NOISE, RATE, VALUE, ARGUMENT, D_R, D_S = (
    Symbol(name, real=True) for name in ("I", "xi", "r", "f_value", "f_argument", "d_r", "d_s")
)


def after(state: str) -> Symbol:
    """dL/dy of a state, one step later."""
    return Symbol(f"after_{state}", real=True)


class ModelError(UserError, ValueError):
    """A model file says something that nothing can be derived from."""


class Coefficients:
    """Parts of expressions that depend on parameters alone, each with a symbol, which is computed once per unit."""

    def __init__(self, parameters: frozenset[Symbol]) -> None:
        self.parameters = parameters
        self.symbols: dict[Symbol, Expr] = {}

    def put_in(self, expressions: Iterable[Expr]) -> list[Expr]:
        """The expressions with symbols in the place of such parts."""
        return [self._replaced(expression) for expression in expressions]

    def _replaced(self, expression: Expr) -> Expr:
        if not expression.free_symbols & self.parameters:
            return expression
        if expression.free_symbols <= self.parameters:
            return self._symbol(expression)
        if not isinstance(expression, Add | Mul):
            return expression.func(*map(self._replaced, expression.args))
        # Of a sum or a product, what depends on parameters alone together.
        alone = [part for part in expression.args if part.free_symbols <= self.parameters]
        rest = [self._replaced(part) for part in expression.args if part not in alone]
        if all(isinstance(part, Number) for part in alone):
            return expression.func(*alone, *rest)
        return expression.func(self._symbol(expression.func(*alone)), *rest)

    def _symbol(self, expression: Expr) -> Symbol:
        for symbol, replacement in self.symbols.items():
            if replacement == expression:
                return symbol
        symbol = Symbol(f"k{len(self.symbols)}", real=True)
        self.symbols[symbol] = expression
        return symbol


@dataclass(frozen=True)
class Parts:
    """A step and its adjoint, with symbols for the coefficients; lists over states, the driven one first.

    carried: the states a step later without synaptic current and noise. fired: what is kept of the activation, the
    firing rate without noise. sent: what synapses carry. adjoint: see `Equations.adjoint`. kept: names of the states
    that the adjoint needs. by_parameter: see `Equations.by_parameter`.
    """

    coefficients: dict[Symbol, Expr]
    carried: list[Expr]
    fired: list[Expr]
    sent: Expr
    adjoint: list[Expr]
    kept: list[str]
    by_parameter: list[Expr]


@dataclass(frozen=True)
class Equations:
    """A model with an activation, in symbols.

    p: its parameters. y: its states; the first is the one that the synaptic current drives. after: the states a step
    later. sent: what synapses carry, of y and RATE. argument: what the activation is taken of. fired: the firing rate,
    of y and VALUE, the activation's value.
    """

    model: Model
    activation: str
    p: Mapping[str, Symbol]
    y: Mapping[str, Symbol]
    after: Mapping[str, Expr]
    start: Mapping[str, Expr]
    sent: Expr
    argument: Expr
    fired: Expr

    @cached_property
    def driven(self) -> str:
        """Name of the state that the synaptic current enters."""
        return next(iter(self.y))

    @cached_property
    def gain(self) -> Expr:
        """What a step adds to the driven state, per unit of synaptic current."""
        return sympy.diff(self.after[self.driven], CURRENT)

    @cached_property
    def noise(self) -> Expr:
        """Standard deviation of what the noise of a step adds to the driven state."""
        return sympy.diff(self.after[self.driven], NOISE)

    @cached_property
    def carried(self) -> dict[str, Expr]:
        """The states a step later, without synaptic current and noise."""
        nothing = {CURRENT: 0, NOISE: 0}
        return {name: expression.xreplace(nothing) for name, expression in self.after.items()}

    def steady(self) -> dict[str, Expr]:
        """The other states where the driven one and RATE stay as they are, in terms of these.

        Raises:
            ModelError: There is no such state, or there are several.

        """
        others = [y for name, y in self.y.items() if name != self.driven]
        if not others:
            return {}
        solutions = sympy.solve(
            [self.after[name] - self.y[name] for name in self.y if name != self.driven],
            others,
            dict=True,
        )
        if len(solutions) != 1:
            raise ModelError(
                f"the states {', '.join(map(str, others))} of dynamics/models/{self.model.name}.py have "
                f"{len(solutions)} steady values at a constant rate; one is needed for network.centring_bias"
            )
        return {name: solutions[0][y] for name, y in self.y.items() if name != self.driven}

    def f(self, argument: Expr) -> Expr:
        """The activation of an expression."""
        return _f(self.activation, argument)

    @cached_property
    def kept(self) -> Symbol:
        """What a backward pass keeps of the activation: its value, if the slope follows from it, or its argument."""
        return VALUE if _slope_by_value(self.activation) is not None else ARGUMENT

    @cached_property
    def slope(self) -> Expr:
        """f' at the argument, from what is kept."""
        by_value = _slope_by_value(self.activation)
        return by_value if by_value is not None else _slope_by_argument(self.activation)

    @property
    def sends_rate(self) -> bool:
        """Whether synapses carry the firing rate itself."""
        return bool(self.sent == RATE)

    @cached_property
    def parts(self) -> Parts:
        """What a backend computes, elementwise. Where synapses carry the rate, D_R holds D_S too."""
        coefficients = Coefficients(frozenset(self.p.values()))
        value = self.f(self.argument)
        no_d_s = {D_S: Integer(0)} if self.sends_rate else {}
        adjoint, by_parameter = (
            [e.xreplace(no_d_s) for e in parts.values()]
            for parts in (self.adjoint(), self.by_parameter())
        )
        carried, fired, sent, back, by_parameter = map(
            coefficients.put_in,
            (
                self.carried.values(),
                (
                    value if self.kept == VALUE else self.argument,
                    self.fired.xreplace({VALUE: value}),
                ),
                (self.sent,),
                adjoint,
                by_parameter,
            ),
        )
        used = set().union(*(e.free_symbols for e in back))
        kept = [name for name, y in self.y.items() if y in used]
        return Parts(coefficients.symbols, carried, fired, sent[0], back, kept, by_parameter)

    def adjoint(self) -> dict[str, Expr]:
        """dL/dy of a step from that of the step after it.

        In symbols: `after(state)`, dL/dy one step later; D_R and D_S, what the loss and the synapses add to dL/dr and
        dL/ds; states, RATE and what is kept of the activation, of this step.
        """
        return {name: self._pulled(y) for name, y in self.y.items()}

    @property
    def trainable(self) -> list[str]:
        """Names of the parameters that a gradient is derived for: all but dt."""
        return [name for name in self.p if name != "dt"]

    def by_parameter(self) -> dict[str, Expr]:
        """dL/dp by way of what a step computes elementwise, in the symbols of `adjoint`; a step's share of it.

        What p does to the factors of the synaptic current and of the noise, and to the states at the start, comes on
        top: see `factors_by_parameter`.
        """
        return {name: self._pulled(self.p[name]) for name in self.trainable}

    def factors_by_parameter(self) -> dict[str, list[Expr]]:
        """Derivatives by each parameter of the gain, the noise and each state at the start."""
        factors = [self.gain, self.noise, *self.start.values()]
        return {
            name: [sympy.diff(part, self.p[name]) for part in factors] for name in self.trainable
        }

    def _pulled(self, by: Symbol) -> Expr:
        """dL/d`by` of a step, from that of the states after it and from what the loss and the synapses add."""

        def through_next(symbol: Symbol) -> Expr:
            return Add(*(after(name) * sympy.diff(e, symbol) for name, e in self.carried.items()))

        total = Add(D_R, D_S * sympy.diff(self.sent, RATE), through_next(RATE))
        slope = sympy.diff(self.fired, by) + sympy.diff(
            self.fired, VALUE
        ) * self.slope * sympy.diff(self.argument, by)
        return Add(through_next(by), D_S * sympy.diff(self.sent, by), slope * total)


@cache
def equations(model: str, activation: str) -> Equations:
    """The equations of a model with an activation.

    Raises:
        ModelError: The synaptic current or the noise enters another way than stands above.

    """
    made = models()[model]
    p = {name: Symbol(name, positive=True) for name in (*GENERAL, *made.parameters)}
    values = SimpleNamespace(**p)
    y = {name: Symbol(f"y_{name}", real=True) for name in made.states}
    seen: list[Expr] = []

    def f(argument: Any) -> Expr:
        seen.append(sympy.sympify(argument))
        return VALUE

    later = {
        name: sympy.sympify(e) for name, e in made.step(y, RATE, CURRENT, NOISE, values).items()
    }
    fired = sympy.sympify(made.rate(y, f, values))
    if len(set(seen)) != 1:
        raise ModelError(
            f"rate in dynamics/models/{model}.py calls f {len(set(seen))} times; call it once, as f(y.x)"
        )
    driven = [name for name, e in later.items() if e.has(CURRENT)]
    for what, symbol in (("the synaptic current", CURRENT), ("the noise", NOISE)):
        slopes = {name: sympy.diff(e, symbol) for name, e in later.items() if e.has(symbol)}
        dynamic = {CURRENT, NOISE, RATE, *y.values()}
        if (
            len(driven) != 1
            or slopes.keys() - set(driven)
            or any(s.free_symbols & dynamic for s in slopes.values())
        ):
            raise ModelError(
                f"step in dynamics/models/{model}.py takes {what} into {sorted(slopes)}; it may enter the one state "
                "that the synaptic current drives, linearly, with a factor of parameters alone"
            )
    if next(iter(y)) not in driven:
        raise ModelError(
            f"STATES in dynamics/models/{model}.py begins with {next(iter(y))}; name {driven[0]} first, which the "
            "synaptic current drives"
        )
    return Equations(
        made, activation, p,
        y=y,
        after=later,
        start={name: sympy.sympify(e) for name, e in made.start(values).items()},
        sent=sympy.sympify(made.transmitted(y, RATE, values)),
        argument=seen[0], fired=fired,
    )  # fmt: skip


@cache
def as_text(model: str, activation: str) -> str:
    """The equations of a model with an activation, a line each, as they are run: for the docs and the note of a run.

    States on the right are those of the step before, r the rate of before with its noise, I the synaptic current, xi a
    standard normal; s is what synapses carry, where that is not r.
    """
    made = models()[model]
    p = {name: Symbol(name) for name in (*GENERAL, *made.parameters)}
    y, values = {name: Symbol(name) for name in made.states}, SimpleNamespace(**p)
    f, r, x = Function("f"), Symbol("r"), Symbol("x")
    sent = made.transmitted(y, r, values)
    lines = {
        **made.step(y, r, Symbol("I"), Symbol("xi"), values),
        "r": made.rate(y, f, values),
        **({} if sent == r else {"s": sent}),
        "f(x)": ACTIVATIONS[activation](x),
    }
    return "\n".join(f"{name} = {sympy.sympify(e)}" for name, e in lines.items())


def as_function(
    symbols: Iterable[Symbol],
    expressions: Iterable[Expr],
    functions: Mapping[str, Callable[..., Any]],
) -> Callable[..., list[Any]]:
    """Expressions as a function of arrays.

    Args:
        symbols: Its arguments, in their order.
        expressions: What it returns.
        functions: What stands for the functions in the expressions, by name.

    Returns:
        The function.

    """
    made: Callable[..., list[Any]] = sympy.lambdify(
        list(symbols), list(expressions), modules=[dict(functions)], cse=True
    )
    return made


def _f(activation: str, x: Expr) -> Expr:
    return sympy.sympify(ACTIVATIONS[activation](x))


def _slope_by_argument(activation: str) -> Expr:
    return sympy.diff(_f(activation, ARGUMENT), ARGUMENT)


@cache
def _slope_by_value(activation: str) -> Expr | None:
    """f' in terms of f, where f is made of one function that can be solved for; else None."""
    expression = _f(activation, ARGUMENT)
    functions = expression.atoms(Function)
    if len(functions) != 1:
        return None
    (inner,) = functions
    part = Symbol("part", nonnegative=True)
    slope = _slope_by_argument(activation).xreplace({inner: part})
    if inner.func is positive:  # where it is above 0
        slope = slope.xreplace({is_positive(inner.args[0]): Integer(1)})
    solutions = sympy.solve(sympy.Eq(expression.xreplace({inner: part}), VALUE), part)
    if len(solutions) != 1 or slope.has(Function):
        return None
    slope = sympy.factor(slope.xreplace({part: solutions[0]}))
    return is_positive(VALUE) * slope if inner.func is positive else slope
