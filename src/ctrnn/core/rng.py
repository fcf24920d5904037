"""One seed -> independent random streams, each known by its name.

A stream is named by a path such as `key(seed, "train", "noise", iteration)`, so that adding a stream, a network or
an iteration changes no other one.
"""

from __future__ import annotations

import hashlib

import numpy as np


def key(seed: int, *path: str | int) -> int:
    """A 64-bit key: the BLAKE2b hash of the seed and the stream's path."""
    return _hash(seed, path, size=8)


def network_seeds(seed: int, n_networks: int) -> list[int]:
    """Seeds of the networks 0 .. n_networks - 1: 53 bits, which every float holds exactly.

    Each is a hash of (seed, index), so that populations of neighbouring seeds share no network.
    """
    return [key(seed, "network", i) >> 11 for i in range(n_networks)]


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """A numpy generator of its own for the stream at `path`."""
    return np.random.Generator(np.random.PCG64(_hash(seed, path, size=16)))


def _hash(seed: int, path: tuple[str | int, ...], size: int) -> int:
    name = "/".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=size).digest(), "little")
