"""analyze@<task>: every network opened up: state space, fixed points, roles of units, lesions, generalisation."""

from ctrnn import network, params, tasks
from ctrnn.analysis.analyze import analyze
from ctrnn.analysis.recording import Recording
from ctrnn.core import artifacts
from ctrnn.errors import run_stage


def main(name: str) -> None:
    """Write artifacts/analyze/<task>/ and reports/analyze/<task>.json."""
    settings = params.load("seed", "tasks", "network", "train", "analyze")
    weights, folder = artifacts.folder("train", name), artifacts.folder("analyze", name)
    result = analyze(Recording(
        tasks.get_task(name, settings.tasks, settings.network.dt),
        tasks.read_test(artifacts.folder("generate", name)),
        network.read_population(weights, settings.train.n_networks, "initial"),
        network.read_population(weights, settings.train.n_networks),
        settings.seed, settings.analyze, network.get_backend(settings.train),
    ))  # fmt: skip
    artifacts.write_json(folder / "settings.json", settings.analyze.decisive())
    for stem, arrays in result.arrays.items():
        artifacts.write_arrays(folder / f"{stem}.npz", arrays)
    artifacts.write_sums(folder)
    artifacts.write_json(artifacts.metrics_path("analyze", name), result.metrics)


if __name__ == "__main__":
    run_stage(main)
