"""The equations of a trained network without noise, in float64, their derivative, and what the slow mode takes up.

They are derived from the model's file, as the kernel is. The state of a network is that of its units: first the state
variable that the synaptic current drives, then the model's others, each [unit]; of rate units it is x. With the inputs
u constant, F is the velocity of the state in units of 1 / tau, so that a step adds alpha F, where alpha = dt / tau. Of
rate units

    F(x) = -x + W_eff f(x) + W_in u + b_rec,

whose zeros are the fixed points whatever the time constants are.

Linearised at a point, the left eigenvector of the slow mode is the selection vector of Mante et al. (2013, Nature
503:78): what an input adds along it is kept, what it adds across it decays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Complex, Float, Int

from ctrnn import kernel
from ctrnn.network import Network

PULSE = 0.1  # of the simulated perturbation, in units of the input
TAUS = 2  # its length, in time constants
AT_ONCE = 1000  # steps of it that are in memory at a time


@dataclass(frozen=True)
class Flow:
    """A model with an activation, as functions of the states of its units and of the parameters.

    start: of the parameters, the states before the first step. rate: firing rate. sent: of states and rate too, what
    synapses carry. rest: likewise, the velocity of each state per tau, without synaptic current. gain: of the
    parameters, what a unit of synaptic current adds to the first. slopes: the derivatives of what synapses carry and
    of each `rest` by each state, the rate being that of the states.
    """

    n_states: int
    start: Callable[..., list[Any]]
    rate: Callable[..., list[Any]]
    sent: Callable[..., list[Any]]
    rest: Callable[..., list[Any]]
    gain: Callable[..., list[Any]]
    slopes: Callable[..., list[Any]]


def exp(x: np.ndarray) -> np.ndarray:
    """e to the power x, with the same bits on every machine."""
    part = kernel.logistic(-np.abs(x))
    power = part / (1 - part)
    return np.where(x > 0, 1 / power, power)


# Functions of equations, whose bits no machine chooses.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": exp,
    "log": kernel.log,
    "sqrt": np.sqrt,
    "logistic": kernel.logistic,
    "tanh": lambda x: 2 * kernel.logistic(2 * x) - 1,
    "softplus": lambda x: np.maximum(x, 0) - kernel.log(kernel.logistic(np.abs(x))),
    "positive": lambda x: np.maximum(x, 0),
    "is_positive": lambda x: (x > 0).astype(np.float64),
}


@cache
def flow(model: str, activation: str) -> Flow:
    """The functions of a model in `dynamics/models/` with an activation."""
    import sympy  # here, since params.yaml is checked by way of this module

    from ctrnn.dynamics.derive import NOISE, RATE, VALUE, as_function, equations

    e = equations(model, activation)
    states, p = list(e.y.values()), list(e.p.values())
    per_tau = e.p["tau"] / e.p["dt"]
    rate = e.fired.xreplace({VALUE: e.f(e.argument)})
    rest = [
        sympy.expand((carried.xreplace({NOISE: 0}) - y) * per_tau)
        for y, carried in zip(states, e.carried.values(), strict=True)
    ]
    at_rate = [part.xreplace({RATE: rate}) for part in (e.sent, *rest)]

    def function(symbols: list[Any], expressions: list[Any]) -> Callable[..., list[Any]]:
        return as_function([*symbols, *p], expressions, FUNCTIONS)

    return Flow(
        len(states),
        start=function([], list(e.start.values())),
        rate=function(states, [rate]),
        sent=function([*states, RATE], [e.sent]),
        rest=function([*states, RATE], rest),
        gain=function([], [sympy.expand(e.gain * per_tau)]),
        slopes=function(states, [sympy.diff(part, y) for part in at_rate for y in states]),
    )


@runtime_checkable
class System(Protocol):
    """What has fixed points: `Dynamics`, or a cell of another library; states are [point, state].

    Velocities F are per time constant. per_tau: a step's share of it. dt: of a step, ms. drive: what a constant input
    does, for `velocity`. outputs: points are ordered by the first.
    """

    @property
    def per_tau(self) -> float: ...

    @property
    def dt(self) -> float: ...

    def drive(self, inputs: np.ndarray) -> np.ndarray: ...

    def velocity(self, x: np.ndarray, drive: np.ndarray) -> np.ndarray: ...

    def jacobian(self, x: np.ndarray) -> np.ndarray: ...

    def map_jacobian(self, x: np.ndarray) -> np.ndarray: ...

    def outputs(self, x: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Dynamics:
    """Weights in float64 and parameters by name: dt, tau, sigma (noise of a step) and those of the model.

    sigma_post: noise of the rates. model, activation: names of `ctrnn.dynamics`.
    """

    W: Float[np.ndarray, "post pre"]
    W_in: Float[np.ndarray, "unit channel"]
    b_rec: Float[np.ndarray, " unit"]
    W_out: Float[np.ndarray, "output unit"]
    b_out: Float[np.ndarray, " output"]
    parameters: Mapping[str, Float[np.ndarray, " unit"]]
    activation: str
    sigma_post: float
    model: str = "rate"

    @cached_property
    def flow(self) -> Flow:
        """The equations of a unit."""
        return flow(self.model, self.activation)

    @cached_property
    def p(self) -> list[Float[np.ndarray, " unit"]]:
        """The parameters, in the order in which `flow` takes them."""
        from ctrnn.dynamics.derive import equations

        return [self.parameters[name] for name in equations(self.model, self.activation).p]

    @property
    def size(self) -> int:
        """How many numbers make a state."""
        return self.flow.n_states * len(self.W)

    @property
    def alpha(self) -> Float[np.ndarray, " state"]:
        """dt / tau of each unit, for each of its states."""
        return np.tile(self.parameters["dt"] / self.parameters["tau"], self.flow.n_states)

    @property
    def per_tau(self) -> float:
        """Steps' share of the longest time constant: rates per step divided by it are in units of 1 / tau."""
        return float(self.alpha.min())

    @property
    def dt(self) -> float:
        """Length of a step, ms."""
        return float(self.parameters["dt"][0])

    @property
    def push(self) -> Float[np.ndarray, "state channel"]:
        """What a step adds to the state, per unit of each input."""
        gain = self.alpha[: len(self.W)] * self._gain
        return self._on_first(gain[:, None] * self.W_in)

    @property
    def start(self) -> Float[np.ndarray, " state"]:
        """The state before the first step."""
        n = len(self.W)
        return np.concatenate([full(state, (n,)) for state in self.flow.start(*self.p)])

    @cached_property
    def _gain(self) -> Float[np.ndarray, " unit"]:
        return full(self.flow.gain(*self.p)[0], (len(self.W),))

    def _on_first(self, rows: Float[np.ndarray, "unit any"]) -> Float[np.ndarray, "state any"]:
        """Rows for the states that the synaptic current drives; 0 for the others."""
        return np.concatenate([rows, np.zeros((self.size - len(rows), rows.shape[1]))])

    def _states(self, x: Float[np.ndarray, "*any state"]) -> list[Float[np.ndarray, "*any unit"]]:
        return np.split(x, self.flow.n_states, axis=-1)

    def rates(self, x: Float[np.ndarray, "*any state"]) -> Float[np.ndarray, "*any unit"]:
        """Firing rates; of rate units r = f(x)."""
        rate: np.ndarray = self.flow.rate(*self._states(x), *self.p)[0]
        return rate

    def outputs(self, x: Float[np.ndarray, "*any state"]) -> Float[np.ndarray, "*any output"]:
        """z = W_out r + b_out."""
        return self.rates(x) @ self.W_out.T + self.b_out

    def drive(self, inputs: Float[np.ndarray, "*any channel"]) -> Float[np.ndarray, "*any unit"]:
        """W_in u + b_rec."""
        return inputs @ self.W_in.T + self.b_rec

    def velocity(
        self,
        x: Float[np.ndarray, "point state"],
        drive: Float[np.ndarray, "*point unit"],
        rates: Float[np.ndarray, "point unit"] | None = None,
    ) -> Float[np.ndarray, "point state"]:
        """F(x), per tau; with other rates than those of the state where they are given."""
        states = self._states(x)
        r = self.rates(x) if rates is None else rates
        sent = self.flow.sent(*states, r, *self.p)[0]
        driven, *others = self.flow.rest(*states, r, *self.p)
        driven = self._gain * (sent @ self.W.T) + driven + self._gain * drive
        return np.concatenate([driven, *others], axis=-1)

    def jacobian(self, x: Float[np.ndarray, "point state"]) -> Float[np.ndarray, "point post pre"]:
        """dF/dx, [state, state]; for relu units, that of the linear piece that x lies in.

        Of rate units -I + W diag(f'(x)).
        """
        k, n = self.flow.n_states, len(self.W)
        shape = (len(x), n)
        slopes = [full(d, shape) for d in self.flow.slopes(*self._states(x), *self.p)]
        by_sent, blocks = slopes[:k], slopes[k:]
        J = np.zeros((len(x), k * n, k * n))
        unit = np.arange(n)
        for j in range(k):
            J[:, :n, j * n : (j + 1) * n] = self._gain[:, None] * self.W * by_sent[j][:, None, :]
            for i in range(k):
                J[:, i * n + unit, j * n + unit] += blocks[i * k + j]
        return J

    def map_jacobian(
        self, x: Float[np.ndarray, "point state"]
    ) -> Float[np.ndarray, "point post pre"]:
        """Derivative of one time step: I + diag(alpha) dF/dx."""
        return np.eye(self.size) + self.alpha[:, None] * self.jacobian(x)

    def simulate(
        self,
        inputs: Float[np.ndarray, "time trial channel"],
        x0: Float[np.ndarray, "trial state"] | None = None,
        random: np.random.Generator | None = None,
    ) -> Float[np.ndarray, "time trial state"]:
        """The state at every step, from x0 (None: where networks start); with noise where a generator is given."""
        n = len(self.W)
        if x0 is None:
            x0 = np.tile(self.start, (inputs.shape[1], 1))
        x, r = x0, self.rates(x0)
        states = np.empty((*inputs.shape[:2], self.size))
        for t, drive in enumerate(self.drive(inputs.astype(np.float64))):
            x = x + self.alpha * self.velocity(x, drive, r)
            if random is not None:
                x[:, :n] += self.parameters["sigma"] * _normals(random, r.shape)
            r = self.rates(x)
            if random is not None:
                r = r + self.sigma_post * _normals(random, r.shape)
            states[t] = x
        return states

    def simulate_parts(
        self,
        parts: Iterable[Float[np.ndarray, "time trial channel"]],
        x0: Float[np.ndarray, "trial state"] | None = None,
        random: np.random.Generator | None = None,
    ) -> Iterator[Float[np.ndarray, "time trial state"]]:
        """`simulate` of one part of the inputs after the other, so that the states of one are in memory.

        A part begins at the last state of the part before it, with the rates that follow from it: without their noise.
        """
        for inputs in parts:
            states = self.simulate(inputs, x0, random)
            yield states
            x0 = states[-1]


def full(value: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "*any"]:
    """A number, or an array, in this shape."""
    return np.broadcast_to(np.asarray(value, np.float64), shape)


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
    weights = {name: w.astype(np.float64) for name, w in network.effective_weights.items()}
    wiring = network.wiring
    return Dynamics(
        W=weights["W_rec"],
        W_in=weights["W_in"],
        b_rec=weights["b_rec"],
        W_out=weights["W_out"],
        b_out=weights["b_out"],
        parameters={name: p.astype(np.float64) for name, p in network.parameters.items()},
        activation=wiring.settings.activation,
        sigma_post=wiring.sigma_post,
        model=wiring.settings.model,
    )


@dataclass(frozen=True)
class Linearisation:
    """At one point.

    eigenvalue: of the slow mode, for one step. left, right: its eigenvectors, of length 1. overlap: |cosine| of the
    left one with what a pulse on each channel adds to x in a step. error: of the linear prediction, against a
    simulated pulse on each channel, as a share of the displacement it leaves after two time constants.
    """

    eigenvalue: complex
    left: Complex[np.ndarray, " state"]
    right: Complex[np.ndarray, " state"]
    overlap: Float[np.ndarray, " channel"]
    error: Float[np.ndarray, " channel"]


def linearise(
    dynamics: Dynamics, x: Float[np.ndarray, " state"], inputs: Float[np.ndarray, " channel"]
) -> Linearisation:
    """Linearise at the state x under a constant input; the slow mode is that with the largest eigenvalue in size."""
    (M,) = dynamics.map_jacobian(x[None])
    values, rights = np.linalg.eig(M)
    lefts = np.linalg.inv(rights).conj().T  # columns: left'M = value left'
    slow = by_size(values)[0]
    left = lefts[:, slow] / np.linalg.norm(lefts[:, slow])
    push = dynamics.push
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
    x: Float[np.ndarray, " state"],
    inputs: Float[np.ndarray, " channel"],
    M: Float[np.ndarray, "post pre"],
    pulse: float = PULSE,
) -> Float[np.ndarray, " channel"]:
    """Distance of the simulated from the linear displacement after a pulse of one step, as a share of the former."""
    n_channels = dynamics.W_in.shape[1]
    steps = round(TAUS / dynamics.per_tau)
    # A trial per channel, and one without a pulse.
    constant = np.tile(inputs, (min(steps, AT_ONCE), n_channels + 1, 1))
    first = constant.copy()
    first[0, np.arange(n_channels), np.arange(n_channels)] += pulse
    others = (constant[: steps - start] for start in range(AT_ONCE, steps, AT_ONCE))
    x0 = np.tile(x, (n_channels + 1, 1))
    for states in dynamics.simulate_parts(chain([first], others), x0):
        last = states[-1]
    moved = last[:-1] - last[-1]
    linear = pulse * np.linalg.matrix_power(M, steps - 1) @ dynamics.push
    return shares(np.linalg.norm(moved - linear.T, axis=1), np.linalg.norm(moved, axis=1))


def shares(
    parts: Float[np.ndarray, " channel"], wholes: Float[np.ndarray, " channel"]
) -> Float[np.ndarray, " channel"]:
    """Each part of its whole; 0 where the whole is 0."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
