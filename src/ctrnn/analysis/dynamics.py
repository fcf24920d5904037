"""The equations of a trained network without noise, in float64, their derivative, and what the slow mode takes up.

The state is x, the input current. With u constant,

    F(x) = -x + W_eff f(x) + W_in u + b_rec,        x_t = x_{t-1} + alpha F(x_{t-1}),

so that F is the velocity of x in units of 1 / tau, and its zeros are the fixed points whatever the time constants are.

Linearised at a point, the left eigenvector of the slow mode is the selection vector of Mante et al. (2013, Nature
503:78): what an input adds along it is kept, what it adds across it decays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from ctrnn.kernel import logistic
from ctrnn.network import Network

PULSE = 0.1  # of the simulated perturbation, in units of the input
TAUS = 2  # its length, in time constants
AT_ONCE = 1000  # steps of it that are in memory at a time


@dataclass(frozen=True)
class Dynamics:
    """Weights in float64; alpha = dt / tau of each unit; noise_per_step, sigma_post: as in `Wiring` and settings."""

    W: Float[np.ndarray, "post pre"]
    W_in: Float[np.ndarray, "unit channel"]
    b_rec: Float[np.ndarray, " unit"]
    W_out: Float[np.ndarray, "output unit"]
    b_out: Float[np.ndarray, " output"]
    alpha: Float[np.ndarray, " unit"]
    activation: str
    noise_per_step: Float[np.ndarray, " unit"]
    sigma_post: float

    @property
    def per_tau(self) -> float:
        """Steps' share of the longest time constant: rates per step divided by it are in units of 1 / tau."""
        return float(self.alpha.min())

    def rates(self, x: Float[np.ndarray, "*any unit"]) -> Float[np.ndarray, "*any unit"]:
        """r = f(x)."""
        return logistic(x) if self.activation == "sigmoid" else np.maximum(x, 0)

    def slope(self, x: Float[np.ndarray, "*any unit"]) -> Float[np.ndarray, "*any unit"]:
        """f'(x); 0 for a relu unit at x = 0."""
        if self.activation == "sigmoid":
            r = logistic(x)
            return r * (1 - r)
        return (x > 0).astype(np.float64)

    def outputs(self, x: Float[np.ndarray, "*any unit"]) -> Float[np.ndarray, "*any output"]:
        """z = W_out f(x) + b_out."""
        return self.rates(x) @ self.W_out.T + self.b_out

    def drive(self, inputs: Float[np.ndarray, "*any channel"]) -> Float[np.ndarray, "*any unit"]:
        """W_in u + b_rec."""
        return inputs @ self.W_in.T + self.b_rec

    def velocity(
        self, x: Float[np.ndarray, "point unit"], drive: Float[np.ndarray, " unit"]
    ) -> Float[np.ndarray, "point unit"]:
        """F(x), per tau."""
        return self.rates(x) @ self.W.T - x + drive

    def jacobian(self, x: Float[np.ndarray, "point unit"]) -> Float[np.ndarray, "point post pre"]:
        """dF/dx = -I + W diag(f'(x)); for relu units, that of the linear piece that x lies in."""
        return self.W * self.slope(x)[:, None, :] - np.eye(len(self.W))

    def map_jacobian(
        self, x: Float[np.ndarray, "point unit"]
    ) -> Float[np.ndarray, "point post pre"]:
        """Derivative of one time step: I + diag(alpha) dF/dx."""
        return np.eye(len(self.W)) + self.alpha[:, None] * self.jacobian(x)

    def simulate(
        self,
        inputs: Float[np.ndarray, "time trial channel"],
        x0: Float[np.ndarray, "trial unit"] | None = None,
        random: np.random.Generator | None = None,
    ) -> Float[np.ndarray, "time trial unit"]:
        """x at every step, from x0 (None: 0); with the network's noise where a generator is given."""
        n = len(self.W)
        x = np.zeros((inputs.shape[1], n)) if x0 is None else x0
        r = self.rates(x)
        states = np.empty((*inputs.shape[:2], n))
        for t, drive in enumerate(self.drive(inputs.astype(np.float64))):
            x = x + self.alpha * (r @ self.W.T - x + drive)
            if random is not None:
                x = x + self.noise_per_step * _normals(random, x.shape)
            r = self.rates(x)
            if random is not None:
                r = r + self.sigma_post * _normals(random, x.shape)
            states[t] = x
        return states


def _normals(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normals to float32's precision: the last bits of the tails are those of the C library's log1p."""
    return random.standard_normal(shape).astype(np.float32)


def by_size(
    eigenvalues: Complex[np.ndarray, "*any mode"] | Float[np.ndarray, "*any mode"],
) -> Int[np.ndarray, "*any mode"]:
    """Order of eigenvalues by falling size, then by falling imaginary part.

    Sizes are rounded, so that a conjugate pair comes out the same way round everywhere.
    """
    order: np.ndarray = np.lexsort((-eigenvalues.imag, -np.round(np.abs(eigenvalues), 9)))
    return order


def dynamics_of(network: Network) -> Dynamics:
    """The dynamics of a network, with its weights as they act."""
    effective = network.effective_weights
    weights = {name: array.astype(np.float64) for name, array in effective.items()}
    settings = network.wiring.settings
    return Dynamics(
        W=network.W_eff.astype(np.float64),
        W_in=weights["W_in"],
        b_rec=weights["b_rec"],
        W_out=weights["W_out"],
        b_out=weights["b_out"],
        alpha=settings.dt / network.wiring.tau.astype(np.float64),
        activation=settings.activation,
        noise_per_step=network.wiring.noise_per_step.astype(np.float64),
        sigma_post=settings.sigma_post,
    )


@dataclass(frozen=True)
class Linearisation:
    """At one point.

    eigenvalue: of the slow mode, for one step. left, right: its eigenvectors, of length 1. overlap: |cosine| of the
    left one with what a pulse on each channel adds to x in a step. error: of the linear prediction, against a
    simulated pulse on each channel, as a share of the displacement it leaves after two time constants.
    """

    eigenvalue: complex
    left: Complex[np.ndarray, " unit"]
    right: Complex[np.ndarray, " unit"]
    overlap: Float[np.ndarray, " channel"]
    error: Float[np.ndarray, " channel"]


def linearise(
    dynamics: Dynamics, x: Float[np.ndarray, " unit"], inputs: Float[np.ndarray, " channel"]
) -> Linearisation:
    """Linearise at the state x under a constant input; the slow mode is that with the largest eigenvalue in size."""
    (M,) = dynamics.map_jacobian(x[None])
    values, rights = np.linalg.eig(M)
    lefts = np.linalg.inv(rights).conj().T  # columns: left'M = value left'
    slow = by_size(values)[0]
    left = lefts[:, slow] / np.linalg.norm(lefts[:, slow])
    push = dynamics.alpha[:, None] * dynamics.W_in
    lengths = np.linalg.norm(push, axis=0)
    return Linearisation(
        eigenvalue=complex(values[slow]),
        left=left.astype(np.complex128),
        right=rights[:, slow].astype(np.complex128),
        overlap=shares(np.abs(left.conj() @ push), lengths),
        error=perturbation_errors(dynamics, x, inputs, M),
    )


def perturbation_errors(
    dynamics: Dynamics,
    x: Float[np.ndarray, " unit"],
    inputs: Float[np.ndarray, " channel"],
    M: Float[np.ndarray, "post pre"],
    pulse: float = PULSE,
) -> Float[np.ndarray, " channel"]:
    """Distance of the simulated from the linear displacement after a pulse of one step, as a share of the former."""
    n_channels = dynamics.W_in.shape[1]
    steps = round(TAUS / dynamics.per_tau)
    # A trial per channel, and one without a pulse.
    trials = np.tile(inputs, (min(steps, AT_ONCE), n_channels + 1, 1))
    trials[0, np.arange(n_channels), np.arange(n_channels)] += pulse
    last = np.tile(x, (n_channels + 1, 1))
    for start in range(0, steps, AT_ONCE):
        last = dynamics.simulate(trials[: steps - start], last)[-1]
        trials[0] = inputs
    moved = last[:-1] - last[-1]
    linear = (
        pulse * np.linalg.matrix_power(M, steps - 1) @ (dynamics.alpha[:, None] * dynamics.W_in)
    )
    return shares(np.linalg.norm(moved - linear.T, axis=1), np.linalg.norm(moved, axis=1))


def shares(
    parts: Float[np.ndarray, " channel"], wholes: Float[np.ndarray, " channel"]
) -> Float[np.ndarray, " channel"]:
    """Each part of its whole; 0 where the whole is 0."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
