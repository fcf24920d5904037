"""The kernel's polynomials and activations are as close to their functions as the comments of kernel.c say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctrnn.kernel.build import SOURCE
from tools.fit_polynomials import (
    ACTIVATIONS,
    POLYNOMIALS,
    Polynomial,
    activation_of_kernel,
    largest,
)

X = np.linspace(-85, 85, 50_001).astype(np.float32)


def bounds(function: str) -> list[float]:
    """The numbers in the comment before a function of kernel.c."""
    before, _ = SOURCE.read_text().split(f"static inline void {function}(")
    return [float(number) for number in re.findall(r"\d[\d.]*e-\d+", before[before.rindex("/*") :])]


@pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=lambda polynomial: polynomial.name)
def test_a_polynomial_is_as_close_as_its_comment_says_and_hardly_closer(
    polynomial: Polynomial,
) -> None:
    coefficients, bound = polynomial.in_kernel()
    assert bound / 1.2 < largest(polynomial.difference(coefficients)) <= bound


def test_the_fit_of_a_polynomial_has_the_kernels_coefficients() -> None:
    cosine = next(polynomial for polynomial in POLYNOMIALS if polynomial.name == "cosine")
    here, fitted = cosine.in_kernel()[0], cosine.fit()
    assert np.abs(np.array(here, float) - np.array(fitted, float)).max() < 6e-8


def test_the_sigmoid_is_as_close_as_its_comment_says() -> None:
    absolute, of_value, for_each_x = bounds("logistic")
    exact = ACTIVATIONS["sigmoid"](X.astype(np.float64))
    difference = np.abs(activation_of_kernel("sigmoid", X) - exact)
    assert (difference <= absolute).all()
    assert (difference <= (of_value + for_each_x * np.abs(X)) * exact).all()


@pytest.mark.parametrize(
    ("activation", "function"), [("tanh", "hyperbolic_tangent"), ("softplus", "softplus")]
)
def test_an_activation_is_as_close_as_its_comment_says(activation: str, function: str) -> None:
    absolute, *of_value = bounds(function)
    exact = ACTIVATIONS[activation](X.astype(np.float64))
    allowed = np.maximum(absolute, sum(of_value) * np.abs(exact))
    assert (np.abs(activation_of_kernel(activation, X) - exact) <= allowed).all()
