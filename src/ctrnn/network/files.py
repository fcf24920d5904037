"""The networks of a population, from their files."""

from __future__ import annotations

from pathlib import Path

from ctrnn import artifacts
from ctrnn.network.network import Network, from_arrays


def read_network(path: Path) -> Network:
    """A network from its safetensors file."""
    arrays, settings = artifacts.read_weights(path)
    return from_arrays(arrays, settings["network"])


def read_population(folder: Path, n_networks: int, stem: str = "network") -> list[Network]:
    """Networks 0 .. n_networks - 1: as trained (stem "network"), or as they started ("initial")."""
    return [read_network(folder / f"{stem}-{i}.safetensors") for i in range(n_networks)]
