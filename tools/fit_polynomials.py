"""Fits the polynomials of `kernel.c` anew and measures those that stand there: `python -m tools.fit_polynomials`.

Coefficients and bounds are read from kernel.c. The fit is the polynomial whose largest difference from its function is
smallest, by Remez's exchange algorithm in 40 digits. The coefficients of the analyses' functions are FreeBSD's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import mpmath
import numpy as np
from mpmath import mpf
from scipy.special import expit

from ctrnn.kernel import ForwardJob, PreparedNetwork, forward
from ctrnn.kernel.build import SOURCE

mpmath.mp.dps = 40
POINTS = 1000
LITERAL = re.compile(r"(- ?)?\b(0x[\da-f.]+p[-+]\d+|\d+\.\d+)f?(?: / (\d+\.\d+)f)?")
Real = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Polynomial:
    """A polynomial of kernel.c.

    name: what its comment begins with. function: what it stands for, as a function of its variable, from low to high.
    size: how many coefficients. weight: by which a difference is multiplied. rising: whether coefficients stand in
    kernel.c from that of power 0 up. numbers: type of the coefficients.
    """

    name: str
    function: Real
    low: float
    high: float
    size: int
    weight: Real = lambda x: mpf(1)
    rising: bool = False
    numbers: type[np.floating] = np.float32

    def in_kernel(self) -> tuple[list[mpf], float]:
        """Its coefficients from power 0 up, as rounded by the compiler, and the bound that its comment states."""
        comment = re.search(rf"/\* {self.name}: .*? within ([\d.e-]+).*\*/", SOURCE.read_text())
        assert comment is not None
        literals = LITERAL.finditer(SOURCE.read_text(), comment.end())
        numbers = [self._number(*next(literals).groups()) for _ in range(self.size)]
        return numbers[:: 1 if self.rising else -1], float(comment[1])

    def _number(self, minus: str | None, over: str, under: str | None) -> mpf:
        exact = Fraction(float.fromhex(over) if over.startswith("0x") else over) / Fraction(
            under or 1
        )
        return mpf(float(self.numbers(-exact if minus else exact)))

    @cached_property
    def values(self) -> list[tuple[mpf, mpf, mpf]]:
        """(x, function, weight) at places that lie closer to each other near the ends."""
        middle, half = mpf(self.low + self.high) / 2, mpf(self.high - self.low) / 2
        places = [
            middle - half * mpmath.cospi(mpf(2 * i + 1) / (2 * POINTS)) for i in range(POINTS)
        ]
        return [(x, self.function(x), self.weight(x)) for x in places]

    def difference(self, coefficients: list[mpf]) -> list[mpf]:
        """Polynomial minus function, times weight, at the places of `values`."""
        falling = coefficients[::-1]
        return [(mpmath.polyval(falling, x) - f) * w for x, f, w in self.values]

    def fit(self) -> list[mpf]:
        """The coefficients with the smallest largest difference."""
        values, n = self.values, self.size
        at = [round(i * (POINTS - 1) / n) for i in range(n + 1)]
        for _ in range(20):
            rows = [
                [*(values[k][0] ** j for j in range(n)), (-1) ** i / values[k][2]]
                for i, k in enumerate(at)
            ]
            made = list(
                mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([values[k][1] for k in at]))
            )[:n]
            difference = self.difference(made)
            signs = np.array([mpmath.sign(d) for d in difference], float)
            stretches = np.split(np.arange(POINTS), np.flatnonzero(np.diff(signs)) + 1)
            peaks = [
                max(map(int, stretch), key=lambda k: abs(difference[k])) for stretch in stretches
            ]
            while len(peaks) > n + 1:  # the smaller of the outer ones goes
                peaks.pop(0 if abs(difference[peaks[0]]) < abs(difference[peaks[-1]]) else -1)
            if peaks == at or len(peaks) <= n:
                break
            at = peaks
        return made


def _power(t: mpf) -> mpf:
    return mpmath.expm1(t * mpmath.ln2) / t


def _exp(z: mpf) -> mpf:
    r = mpmath.sqrt(z)
    return (r * mpmath.coth(r / 2) - 2) / z


def _atanh(z: mpf) -> mpf:
    return 2 * mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z)


HALF_LN2, HALF_ROOT2 = float(mpmath.ln2) / 2, 3 - 2 * float(mpmath.sqrt(2))
POLYNOMIALS = (
    Polynomial("P", lambda m: -2 * mpmath.log(m / 2) / (2 - m), 1, 2, 5, rising=True),
    Polynomial("sine", lambda y: mpmath.sinpi(mpmath.sqrt(y) / 2) / mpmath.sqrt(y), 0, 1, 4, rising=True),
    Polynomial("cosine", lambda y: mpmath.cospi(mpmath.sqrt(y) / 2), 0, 1, 4, rising=True),
    Polynomial("power", _power, -0.5, 0.5, 5, weight=lambda t: abs(t) / 2**t),  # without the last, which is 1
    Polynomial("series", _atanh, 0, HALF_ROOT2**2, 5),
    Polynomial("exp", _exp, 0, HALF_LN2**2, 5, weight=lambda z: z, numbers=np.float64),
    Polynomial("log", lambda z: (_atanh(z) - 2) / z, 0, HALF_ROOT2**2, 7, weight=lambda z: z, numbers=np.float64),
)  # fmt: skip
ACTIVATIONS = {
    "sigmoid": expit,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0, x),
}


def largest(differences: list[mpf]) -> float:
    """The largest in size."""
    return float(max(map(abs, differences)))


def activation_of_kernel(name: str, x: np.ndarray) -> np.ndarray:
    """f(x) [place] as the kernel computes it: the rates of a unit without synapses whose x stays where it starts."""
    zero, nothing = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    unit = PreparedNetwork(
        mask=np.zeros((1, 1), bool), sign=nothing, parameters={"dt": 0.0, "tau": 1.0, "sigma": 0.0},
        sigma_post=0.0, activation=name, dale=False,
    )  # fmt: skip
    weights = {"W_in": zero, "W_rec": zero, "b_rec": nothing, "W_out": zero, "b_out": nothing}
    job = ForwardJob(unit, weights, np.zeros((1, x.size, 1), np.float32), x0=x[:, None])
    rates = forward([job], threads=1)[0][0]
    return np.asarray(rates[0, :, 0])


def main() -> None:
    """Print a table of the polynomials, with their coefficients, and one of the functions that are made of them."""
    print(
        "polynomial  from    to        largest difference: bound, in kernel.c, of the fit; in last places of 1"
    )
    for poly in POLYNOMIALS:
        (coefficients, bound), fitted = poly.in_kernel(), poly.fit()
        here, best = largest(poly.difference(coefficients)), largest(poly.difference(fitted))
        units = here / float(np.finfo(poly.numbers).eps)
        print(
            f"{poly.name:11} {poly.low:<7g} {poly.high:<8.5g} {bound:20.1e} {here:10.2e} {best:10.2e} {units:10.3g}"
        )
        for power, (number, other) in enumerate(zip(coefficients, fitted, strict=True)):
            print(
                f"   power {power}: {float(number): .16g}; that of the fit is {float(other - number):.1e} more"
            )
    x = np.linspace(-80, 80, 400_001).astype(np.float32)
    print("activation   largest difference, over f where f > 1; in its last places where f > 1/4")
    for name, function in ACTIVATIONS.items():
        exact = function(x.astype(np.float64))
        difference = np.abs(activation_of_kernel(name, x) - exact)
        units = difference / np.spacing(np.abs(exact).astype(np.float32))
        relative = (difference / np.maximum(1, np.abs(exact))).max()
        print(f"{name:11} {relative:19.2e} {units[np.abs(exact) > 0.25].max():10.3g}")


if __name__ == "__main__":
    main()
