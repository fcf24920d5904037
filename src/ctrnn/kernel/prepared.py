"""What is constant in a network while it trains, and the weights that change, as `kernel.c` wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import CDLL
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn.dynamics.functions import table
from ctrnn.kernel.library import LANES, Floats, NetworkC, SparseC, address, library

COLUMNS = (
    40  # of a block: with the rates of all the steps of one sweep it fits a first cache of 32 KiB
)


@dataclass(frozen=True)
class Pattern:
    """The existing synapses of a matrix, row by row, a multiple of four in each row.

    row: [unit + 1], where each row begins. column: [entry], the column's place in units of one float of
    [unit, 32 trials]. source: [entry], the place of the weight in W_rec [post, pre], -1 for an entry added to fill
    the row up.
    """

    row: NDArray[np.int64]
    column: NDArray[np.uint32]
    source: NDArray[np.int32]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], places: NDArray[np.int32]) -> Pattern:
        """The pattern of `mask`; `places` says where each of its elements stands in W_rec."""
        rows, columns = np.nonzero(mask)
        counts = np.bincount(rows, minlength=mask.shape[0])
        begin = np.concatenate([[0], np.cumsum(counts + -counts % 4)])
        at = begin[rows] + np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
        column = np.zeros(begin[-1], np.uint32)
        source = np.full(begin[-1], -1, np.int32)
        column[at] = columns * LANES
        source[at] = places[rows, columns]
        return cls(begin.astype(np.int64), column, source)


@dataclass(frozen=True)
class Tiles:
    """The existing synapses once more, for the sweep of their gradients: by block of columns, then row by row.

    A block's rows with the same number of synapses follow each other, which the processor's branch prediction likes.
    begin: [tile + 1]. row: [tile] and column: [entry], places as in `Pattern.column`. source: [entry], the place of the
    weight in W_rec.
    """

    begin: NDArray[np.int64]
    row: NDArray[np.uint32]
    column: NDArray[np.uint32]
    source: NDArray[np.int32]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Tiles:
        """The tiles of `mask` [post, pre]."""
        rows, columns = np.nonzero(mask)
        blocks = columns // COLUMNS
        count = np.zeros((mask.shape[0], -(-mask.shape[1] // COLUMNS)), np.int64)
        np.add.at(count, (rows, blocks), 1)
        order = np.lexsort((columns, rows, count[rows, blocks], blocks))
        rows, columns, blocks = rows[order], columns[order], blocks[order]
        new = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(blocks, prepend=-1) != 0))
        return cls(
            begin=np.append(new, rows.size).astype(np.int64),
            row=(rows[new] * LANES).astype(np.uint32),
            column=(columns * LANES).astype(np.uint32),
            source=(rows * mask.shape[1] + columns).astype(np.int32),
        )


@dataclass(frozen=True)
class Coefficients:
    """What depends on the parameters of a unit alone.

    gain, noise: [unit]; factors of the synaptic current and of the normal that a step draws. of_model: [unit,
    coefficient]. start: [unit, state], before the first step.
    """

    gain: Floats
    noise: Floats
    of_model: Floats
    start: Floats

    @classmethod
    def of(cls, kernel: CDLL, parameters: Mapping[str, Floats]) -> Coefficients:
        """By the formulas of a kernel, in float32."""
        n = len(parameters["tau"])
        functions = {**{name: _in_double(f) for name, f in table("numpy").items()}, **parameters}
        gain, noise, *others = (
            np.broadcast_to(np.asarray(_value(formula, functions), np.float32), n)
            for formula in kernel.ctrnn_formulas().decode().splitlines()
        )
        rest = np.stack(others, axis=1)
        states = kernel.ctrnn_states()
        k = rest.shape[1] - states
        return cls(*map(np.ascontiguousarray, (gain, noise, rest[:, :k], rest[:, k:])))


def _value(formula: str, names: Mapping[str, Any]) -> Any:
    return eval(formula, {"__builtins__": {}}, names)


def slopes_by_parameter(
    kernel: CDLL, parameters: Mapping[str, Floats]
) -> dict[str, NDArray[np.float64]]:
    """Derivatives of gain, noise and each state at the start by each parameter: {name: [factor, unit]}."""
    functions = {**table("numpy"), **{name: p.astype(np.float64) for name, p in parameters.items()}}
    n, slopes = len(parameters["tau"]), {}
    for line in kernel.ctrnn_slopes().decode().splitlines():
        name, *formulas = line.split("\t")
        values = [np.asarray(_value(formula, functions), np.float64) for formula in formulas]
        slopes[name] = np.stack([np.broadcast_to(value, n) for value in values])
    return slopes


def _in_double(f: Callable[[Any], Any]) -> Callable[[Floats], Floats]:
    """f of float32 numbers, rounded once."""
    return lambda x: np.asarray(f(x.astype(np.float64)), np.float32)


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """What is constant in training, prepared once; compared by identity.

    mask: [post, pre], the synapses that exist. sign: [unit], +1 or -1 of the presynaptic unit, used when `dale`.
    parameters: by name, [unit] or one number: dt, tau, sigma (the noise of a step) and those of the model. sigma_post:
    the noise on rates. model, activation: names of `ctrnn.dynamics`. dale: W_eff = relu(W) * sign on the mask, else W
    on the mask. Raises ValueError where a shape is wrong.
    """

    mask: NDArray[np.bool_]
    sign: Floats
    parameters: Mapping[str, Any]  # made Floats
    sigma_post: float
    activation: str
    dale: bool
    model: str = "rate"

    def __post_init__(self) -> None:
        n = self.mask.shape[0]
        if self.mask.shape != (n, n):
            raise ValueError(
                f"mask has shape {self.mask.shape}; give [post, pre], as many rows as columns."
            )
        object.__setattr__(self, "mask", np.array(self.mask, bool))
        object.__setattr__(self, "sign", floats("sign", self.sign, (n,)))
        parameters = {
            name: floats(name, np.broadcast_to(value, n) if np.ndim(value) == 0 else value, (n,))
            for name, value in self.parameters.items()
        }
        object.__setattr__(self, "parameters", parameters)

    @property
    def library(self) -> CDLL:
        """The kernel with this model and activation."""
        return library(self.model, self.activation)

    @cached_property
    def coefficients(self) -> Coefficients:
        """What the kernel needs of the parameters."""
        return Coefficients.of(self.library, self.parameters)

    @property
    def gain(self) -> Floats:
        """[unit], what a step adds to the driven state per unit of synaptic current."""
        return self.coefficients.gain

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return len(self.mask)

    @cached_property
    def pattern(self) -> Pattern:
        """Rows of A: to each unit its presynaptic ones."""
        return Pattern.of(self.mask, self._places)

    @cached_property
    def pattern_transposed(self) -> Pattern:
        """Rows of A': to each unit its postsynaptic ones."""
        return Pattern.of(self.mask.T, self._places.T)

    @cached_property
    def tiles(self) -> Tiles:
        """A's entries in the order in which their gradients are summed."""
        return Tiles.of(self.mask)

    @property
    def _places(self) -> NDArray[np.int32]:
        return np.arange(self.mask.size, dtype=np.int32).reshape(self.mask.shape)


def floats(name: str, array: object, shape: tuple[int, ...]) -> Floats:
    """`array` as C-contiguous float32 of this shape. Raises ValueError that says which array has another one."""
    made = np.ascontiguousarray(array, np.float32)
    if made.shape != shape:
        raise ValueError(f"{name} has shape {list(made.shape)}; give {list(shape)}.")
    return made


class Effective:
    """A network with the weights of this moment: the C structure, and the arrays that it points into."""

    def __init__(
        self,
        network: PreparedNetwork,
        weights: Mapping[str, Floats],
        parameters: Mapping[str, Floats] | None = None,
    ) -> None:
        n, channels, outputs = (
            network.n_units,
            np.shape(weights["W_in"])[1],
            np.shape(weights["W_out"])[0],
        )
        self.network, self.channels, self.outputs = network, channels, outputs
        self.W_rec = floats("W_rec", weights["W_rec"], (n, n))
        self.library = network.library
        self.parameters = network.parameters if parameters is None else parameters
        coefficients = (
            network.coefficients
            if parameters is None
            else Coefficients.of(self.library, parameters)
        )
        self.gain = gain = coefficients.gain
        self._kept = (
            coefficients.of_model,
            coefficients.start,
            gain[:, None] * floats("W_in", weights["W_in"], (n, channels)),
            gain * floats("b_rec", weights["b_rec"], (n,)),
            coefficients.noise,
            floats("W_out", weights["W_out"], (outputs, n)),
            floats("b_out", weights["b_out"], (outputs,)),
        )
        self._values: list[Floats] = []
        self.c = NetworkC(
            n, channels, outputs,
            *map(address, self._kept),
            network.sigma_post,
            self._sparse(network.pattern), self._sparse(network.pattern_transposed),
            network.tiles.row.size, network.tiles.source.size,
            address(network.tiles.begin), address(network.tiles.row), address(network.tiles.column),
        )  # fmt: skip

    def _sparse(self, pattern: Pattern) -> SparseC:
        network, value = self.network, np.empty(pattern.source.size, np.float32)
        self.library.ctrnn_effective(
            network.n_units, value.size, address(pattern.source), address(self.W_rec), address(self.gain),
            address(network.sign), network.dale, address(value),
        )  # fmt: skip
        self._values.append(value)
        return SparseC(address(pattern.row), address(pattern.column), address(value))

    def gradient(self, dA: Floats) -> Floats:
        """dL/dW_rec [post, pre] from dL/dA [entry of the tiles]: 0 off the pattern and at vanished synapses."""
        network, source = self.network, self.network.tiles.source
        d = np.zeros(network.mask.shape, np.float32)
        self.library.ctrnn_scatter(
            network.n_units, source.size, address(source), address(dA), address(self.W_rec), address(self.gain),
            address(network.sign), network.dale, address(d),
        )  # fmt: skip
        return d

    def by_gain(
        self, dA: Floats, dB: Floats, dc: Floats, weights: Mapping[str, Floats]
    ) -> NDArray[np.float64]:
        """dL/dgain [unit]: the gradients of A, B and c, each with the weights that gain is a factor of, in order."""
        network, source = self.network, self.network.tiles.source
        rows, columns = np.divmod(source, network.n_units)
        W = self.W_rec[rows, columns].astype(np.float64)
        if network.dale:
            W = np.maximum(W, 0) * network.sign[columns]
        total = np.bincount(rows, dA * W, network.n_units) + dc * weights["b_rec"].astype(
            np.float64
        )
        for k, column in enumerate(dB.reshape(-1, self.channels).T.astype(np.float64)):
            total = total + column * weights["W_in"][:, k]
        return np.asarray(total, np.float64)
