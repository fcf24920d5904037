"""The elementwise part of the kernel, printed from a model's equations: two headers that `kernel.c` includes.

`equations.h` has the equations as the model's file has them, for the kernel's scalar reference. `model.h` is the fast
form. Each of its functions works on the vectors of two neighbouring places, line by line for both, since the operations
of one vector wait for each other. Sums are chains of fused multiply-adds in a fixed order, so that all compilers make
the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy
from sympy import Add, Expr, Integer, Mul, Number, Pow, Symbol

from ctrnn.dynamics.derive import (
    ARGUMENT,
    CURRENT,
    D_R,
    D_S,
    NOISE,
    RATE,
    VALUE,
    after,
    equations,
)
from ctrnn.dynamics.symbols import is_positive, positive

CONSTANT = Symbol("c", real=True)  # what the bias adds in a step
CALLS = {
    "exp": "exponential",
    "log": "logarithm",
    "logistic": "logistic",
    "tanh": "hyperbolic_tangent",
    "softplus": "softplus",
}
SCALAR_CALLS = {
    "logistic": "scalar_logistic",
    "softplus": "scalar_softplus",
    "positive": "scalar_positive",
    "is_positive": "scalar_is_positive",
}


def scalar_header(model: str, activation: str) -> str:
    """The text of `equations.h`: a unit's equations and their partial derivatives, a number at a time.

    Nothing is shared, fused or computed ahead, so that little can be wrong here that could be wrong in `model.h` too.

    Args:
        model: Name of a file in `dynamics/models/`.
        activation: Name of a line of `activations.py`.

    Returns:
        C that defines STATES, PARAMETERS and the functions unit_start, unit_step, unit_rate, unit_sent and unit_slopes.

    """
    e = equations(model, activation)
    y, later = list(e.y.values()), list(e.after.values())
    rate = e.fired.xreplace({VALUE: e.f(e.argument)})
    places = {
        **{symbol: Symbol(f"p[{i}]") for i, symbol in enumerate(e.p.values())},
        **{symbol: Symbol(f"y[{i}]") for i, symbol in enumerate(y)},
        CURRENT: Symbol("current"),
        NOISE: Symbol("xi"),
        RATE: Symbol("r"),
    }

    def c(expression: Expr) -> str:
        return str(sympy.ccode(expression.xreplace(places), user_functions=SCALAR_CALLS))

    def lines(place: str, expressions: Iterable[Expr]) -> list[str]:
        return [f"    {place}[{i}] = {c(part)};" for i, part in enumerate(expressions)]

    slopes = [
        line
        for i, part in enumerate(later)
        for line in lines(f"d->next_y[{i}]", [sympy.diff(part, symbol) for symbol in y])
    ]
    return "\n".join([
        f"/* From dynamics/models/{model}.py with the activation {activation}.",
        f"   y: {', '.join(e.y)}; p: {', '.join(e.p)}. */",
        f"enum {{ STATES = {len(y)}, PARAMETERS = {len(e.p)} }};",
        "static void unit_start(const double *p, double *y) {",
        *lines("y", e.start.values()),
        "}",
        "static void unit_step(const double *p, const double *y, double r, double current, double xi, double *next) {",
        *lines("next", later),
        "}",
        f"static double unit_rate(const double *p, const double *y) {{ return {c(rate)}; }}",
        f"static double unit_sent(const double *p, const double *y, double r) {{ return {c(e.sent)}; }}",
        "typedef struct { double next_y[STATES][STATES], next_r[STATES], next_current[STATES], rate_y[STATES], "
        "sent_y[STATES], sent_r; } Slopes;",
        "static void unit_slopes(const double *p, const double *y, double r, Slopes *d) {",
        *slopes,
        *lines("d->next_r", [sympy.diff(part, RATE) for part in later]),
        *lines("d->next_current", [sympy.diff(part, CURRENT) for part in later]),
        *lines("d->rate_y", [sympy.diff(rate, symbol) for symbol in y]),
        *lines("d->sent_y", [sympy.diff(e.sent, symbol) for symbol in y]),
        f"    d->sent_r = {c(sympy.diff(e.sent, RATE))};",
        "}",
        "",
    ])  # fmt: skip


def header(model: str, activation: str) -> str:
    """The text of `model.h`.

    Args:
        model: Name of a file in `dynamics/models/`.
        activation: Name of a line of `activations.py`.

    Returns:
        C that defines COEFFICIENTS, TRAINABLE, KEPT, SENDS_RATE, `ctrnn_formulas`, `ctrnn_slopes` and the functions
        carry, fire, transmit, adjoint and by_parameter; see `kernel.c`.

    Raises:
        ModelError: Nothing can be derived from the model.

    """
    e = equations(model, activation)
    parts = e.parts
    carried = [Add(parts.carried[0], CONSTANT), *parts.carried[1:]]
    kept = [i for i, name in enumerate(e.y) if name in parts.kept]
    y = {symbol: f"y[{i}][b]" for i, symbol in enumerate(e.y.values())}
    back = {after(name): f"after[{i}][b]" for i, name in enumerate(e.y)}
    k = parts.coefficients
    formulas = [e.gain, e.noise, *k.values(), *e.start.values()]
    slopes = [
        "\\t".join([name, *map(str, factors)]) for name, factors in e.factors_by_parameter().items()
    ]
    places = {ARGUMENT: "kept[b]", VALUE: "kept[b]", RATE: "r[b]", D_R: "d_r[b]", D_S: "d_s[b]"}
    of_adjoint = "const V kept[2], const V r[2], const V y[][2], const V after[][2], const V d_r[2], const V d_s[2]"
    return "\n".join([
        f"/* From dynamics/models/{model}.py with the activation {activation}; states: {', '.join(e.y)}. */",
        f"enum {{ COEFFICIENTS = {len(k)}, TRAINABLE = {len(slopes)}, KEPT = {len(kept)}, "
        f"SENDS_RATE = {int(e.sends_rate)} }};",
        f"static const int kept_state[] = {{{', '.join(map(str, kept or [0]))}}};",
        "/* In terms of the parameters: gain, noise, each coefficient, each state at the start. */",
        'const char *ctrnn_formulas(void) { return "' + "\\n".join(map(str, formulas)) + '"; }',
        "/* Of each parameter that can be trained: name; slopes by it of gain, noise, states at the start. */",
        'const char *ctrnn_slopes(void) { return "' + "\\n".join(slopes) + '"; }',
        "int64_t ctrnn_states(void) { return STATES; }",
        *function("carry", "const V y[][2], const V r[2], V c, V next[][2]", list(k),
                  {f"next[{i}][b]": x for i, x in enumerate(carried)}, {**y, RATE: "r[b]", CONSTANT: "c"}),
        *function("fire", "const V y[][2], V kept[2], V r[2]", list(k),
                  {"kept[b]": parts.fired[0], "r[b]": parts.fired[1]}, y),
        *function("transmit", "const V y[][2], const V r[2], V s[2]", list(k),
                  {"s[b]": parts.sent}, {**y, RATE: "r[b]"}),
        *function("adjoint", f"{of_adjoint}, V d_y[][2]", list(k),
                  {f"d_y[{i}][b]": x for i, x in enumerate(parts.adjoint)}, {**y, **back, **places}),
        *function("by_parameter", f"{of_adjoint}, V d_p[][2]", list(k),
                  {f"d_p[{i}][b]": x for i, x in enumerate(parts.by_parameter)}, {**y, **back, **places}),
        "",
    ])  # fmt: skip


def function(
    name: str,
    arguments: str,
    coefficients: Sequence[Symbol],
    results: Mapping[str, Expr],
    places: Mapping[Symbol, str],
) -> list[str]:
    """Lines of a C function that writes each result, from symbols that stand at these places."""
    temporaries, expressions = sympy.cse(results.values(), order="canonical")
    writer = Writer({**{symbol: str(symbol) for symbol in coefficients}, **places})
    for symbol, expression in temporaries:
        writer.keep(symbol, expression)
    for place, expression in zip(results, expressions, strict=True):
        writer.lines.append(f"BOTH {place} = {writer.vector(expression)};")
    used = set().union(*(expression.free_symbols for expression in results.values()))
    spread = [f"const V k{i} = spread(k[{i}]);" for i, k in enumerate(coefficients) if k in used]
    body = [f"    {line}" for line in (*spread, *writer.lines)]
    return [
        f"static inline void {name}(const float *k, {arguments}) {{",
        "    (void)k;",
        *body,
        "}",
    ]


class Writer:
    """C for expressions. lines: what has to stand before."""

    def __init__(self, places: dict[Symbol, str]) -> None:
        self.places, self.lines, self.calls = places, list[str](), dict[Expr, str]()

    def keep(self, symbol: Symbol, expression: Expr) -> None:
        """Compute an expression now and let a symbol stand for it."""
        self.places[symbol] = f"{self._temporary(self.vector(expression))}[b]"

    def vector(self, expression: Expr) -> str:
        """C of the type V."""
        return (
            f"spread({self.of(expression)})"
            if isinstance(expression, Number)
            else self.of(expression)
        )

    def of(self, expression: Expr) -> str:
        """C of the type V, or a number."""
        if isinstance(expression, Symbol):
            return self.places[expression]
        if isinstance(expression, Number):
            return f"{float(expression)!r}f"
        if isinstance(expression, Add):
            return self._sum(expression)
        if isinstance(expression, Mul):
            return self._product(expression)
        if isinstance(expression, Pow):
            return self._power(*expression.args)
        return self._call(expression)

    def _sum(self, expression: Add) -> str:
        """The simplest term, to which the others are added in their order: products by a fused multiply-add."""
        terms = sorted(
            expression.args,
            key=lambda term: (
                is_product(term),
                not isinstance(term, Number),
                term.count_ops(),
                str(term),
            ),
        )
        first, *others = sorted(
            terms, key=lambda term: isinstance(term, Mul) and not is_product(term)
        )
        total, number = self.of(first), isinstance(first, Number)
        for term in map(flipped, others):
            sign, term = ("-", -term) if negative(term) else ("+", term)
            if is_product(term):
                a, b = self._factors(term)
                total = f"fma_({'-' if sign == '-' else ''}{a}, {b}, {f'spread({total})' if number else total})"
            else:
                total = f"({total} {sign} {self.of(term)})"
            number = number and isinstance(term, Number)
        return total

    def _factors(self, product: Expr) -> tuple[str, str]:
        """Two factors, the last of which holds what comes from the step after."""
        if not isinstance(product, Mul):  # a square
            base, exponent = product.args
            return self.vector(base), self.vector(base ** (exponent - 1))
        parts = sorted(product.args, key=lambda part: (rank(part), part.count_ops(), str(part)))
        return self.vector(Mul(*parts[:-1])), self.vector(parts[-1])

    def _product(self, expression: Mul) -> str:
        number, rest = flipped(expression).as_coeff_Mul()
        if number == -1:
            return f"(-{self.of(rest)})"
        over, under = sympy.fraction(rest)
        parts = sorted(
            Mul.make_args(over), key=lambda part: (rank(part), part.count_ops(), str(part))
        )
        factors = [self.of(part) for part in parts if part != 1]
        if number != 1 or not factors:
            factors = [self.of(number), *factors]
        product = " * ".join(factors)
        return f"({product} / {self.of(under)})" if under != 1 else f"({product})"

    def _power(self, base: Expr, exponent: Expr) -> str:
        if exponent == sympy.Rational(1, 2):
            return f"root({self.vector(base)})"
        if not isinstance(exponent, Integer):
            raise TypeError(
                f"{base}**{exponent} has no form in the kernel; give a whole exponent or exp and log"
            )
        if exponent < 0:
            return f"(1.0f / {self.of(base**-exponent)})"
        factor = (
            self.of(base)
            if isinstance(base, Symbol)
            else f"{self._temporary(self.vector(base))}[b]"
        )
        return f"({' * '.join([factor] * int(exponent))})"

    def _call(self, expression: Expr) -> str:
        if expression not in self.calls:
            (argument,) = expression.args
            name = type(expression).__name__
            given = self._temporary(self.vector(argument))
            if isinstance(expression, is_positive):
                made = self._temporary(f"where({given}[b] > 0.0f, spread(1.0f), spread(0.0f))")
            elif isinstance(expression, positive):
                made = self._temporary(f"where({given}[b] < 0.0f, spread(0.0f), {given}[b])")
            else:
                made = f"t{len(self.lines)}"
                self.lines.append(f"V {made}[2]; {CALLS[name]}({given}, {made});")
            self.calls[expression] = f"{made}[b]"
        return self.calls[expression]

    def _temporary(self, text: str) -> str:
        name = f"t{len(self.lines)}"
        self.lines.append(f"V {name}[2]; BOTH {name}[b] = {text};")
        return name


def is_product(term: Expr) -> bool:
    """Whether a term is a product of two that are no numbers, for a fused multiply-add."""
    if isinstance(term, Pow):
        return isinstance(term.exp, Integer) and term.exp > 1
    factors = [part for part in Mul.make_args(term) if not isinstance(part, Number)]
    return len(factors) > 1 and sympy.fraction(term)[1] == 1


def negative(term: Expr) -> bool:
    """Whether a term is taken away."""
    return bool(term.as_coeff_Mul()[0].is_negative)


def flipped(term: Expr) -> Expr:
    """The same product with -(a - 1) written as 1 - a."""
    number, rest = term.as_coeff_Mul()
    parts = Mul.make_args(rest)
    for part in parts:
        if number.is_negative and isinstance(part, Add) and part.args[0].is_negative:
            return Mul(-number, -part, *(other for other in parts if other != part), evaluate=False)
    return term


def rank(part: Expr) -> int:
    """Place of a factor: coefficients, then what is of this step, then what comes from the step after."""
    names = {str(symbol) for symbol in part.free_symbols}
    if any(name.startswith(("after_", "d_r", "d_s")) for name in names):
        return 2
    return int(not all(name.startswith("k") and name[1:].isdigit() for name in names))
