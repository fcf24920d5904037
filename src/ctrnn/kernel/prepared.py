"""What is constant in a network while it trains, and the weights that change, as `kernel.c` wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """What is constant in training, prepared once; compared by identity.

    mask: [post, pre], the synapses that exist. sign: [unit], +1 or -1 of the presynaptic unit, used when `dale`.
    alpha: [unit], dt / tau. sigma_pre: [unit], s_pre, the noise on x per step, already scaled. sigma_post: s_post,
    the noise on rates. dale: W_eff = relu(W) * sign on the mask, else W on the mask. Raises ValueError where a shape
    or the activation is wrong.
    """

    mask: NDArray[np.bool_]
    sign: Floats
    alpha: Floats
    sigma_pre: Floats
    sigma_post: float
    activation: Literal["sigmoid", "relu"]
    dale: bool

    def __post_init__(self) -> None:
        n = self.mask.shape[0]
        if self.mask.shape != (n, n):
            raise ValueError(
                f"mask has shape {self.mask.shape}; give [post, pre], as many rows as columns."
            )
        object.__setattr__(self, "mask", np.array(self.mask, bool))
        for name in ("sign", "alpha", "sigma_pre"):
            object.__setattr__(self, name, floats(name, getattr(self, name), (n,)))
        if self.activation not in ("sigmoid", "relu"):
            raise ValueError(f"activation = {self.activation} is not known; give sigmoid or relu.")

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

    def __init__(self, network: PreparedNetwork, weights: Mapping[str, Floats]) -> None:
        n, channels, outputs = (
            network.n_units,
            np.shape(weights["W_in"])[1],
            np.shape(weights["W_out"])[0],
        )
        self.network, self.channels, self.outputs = network, channels, outputs
        self.W_rec = floats("W_rec", weights["W_rec"], (n, n))
        alpha = network.alpha
        self._kept = (
            1 - alpha,
            alpha[:, None] * floats("W_in", weights["W_in"], (n, channels)),
            alpha * floats("b_rec", weights["b_rec"], (n,)),
            network.sigma_pre,
            floats("W_out", weights["W_out"], (outputs, n)),
            floats("b_out", weights["b_out"], (outputs,)),
        )
        self._values: list[Floats] = []
        self.c = NetworkC(
            n, channels, outputs, network.activation == "relu",
            *map(address, self._kept),
            network.sigma_post,
            self._sparse(network.pattern), self._sparse(network.pattern_transposed),
            network.tiles.row.size, network.tiles.source.size,
            address(network.tiles.begin), address(network.tiles.row), address(network.tiles.column),
        )  # fmt: skip

    def _sparse(self, pattern: Pattern) -> SparseC:
        network, value = self.network, np.empty(pattern.source.size, np.float32)
        library().ctrnn_effective(
            network.n_units, value.size, address(pattern.source), address(self.W_rec), address(network.alpha),
            address(network.sign), network.dale, address(value),
        )  # fmt: skip
        self._values.append(value)
        return SparseC(address(pattern.row), address(pattern.column), address(value))

    def gradient(self, dA: Floats) -> Floats:
        """dL/dW_rec [post, pre] from dL/dA [entry of the tiles]: 0 off the pattern and at vanished synapses."""
        network, source = self.network, self.network.tiles.source
        d = np.zeros(network.mask.shape, np.float32)
        library().ctrnn_scatter(
            network.n_units, source.size, address(source), address(dA), address(self.W_rec), address(network.alpha),
            address(network.sign), network.dale, address(d),
        )  # fmt: skip
        return d
