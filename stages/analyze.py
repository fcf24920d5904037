"""analyze@<task>: every network opened up: state space, fixed points, roles of units, lesions, generalisation."""

from ctrnn import analysis, artifacts, memory, network, params, tasks
from ctrnn.complaints import run_stage


def main(name: str) -> None:
    """Write artifacts/analyze/<task>/ and reports/analyze/<task>.json."""
    settings = memory.check(params.load())
    weights, folder = artifacts.folder("train", name), artifacts.folder("analyze", name)
    result = analysis.analyze(
        tasks.get_task(name, settings),
        tasks.read_test(artifacts.folder("generate", name)),
        network.read_population(weights, settings.train.n_networks, "initial"),
        network.read_population(weights, settings.train.n_networks),
        settings,
        network.get_backend(settings.train),
    )
    artifacts.write_json(folder / "settings.json", settings.analyze.model_dump())
    for stem, arrays in result.arrays.items():
        artifacts.write_arrays(folder / f"{stem}.npz", arrays)
    artifacts.write_sums(folder)
    artifacts.write_json(artifacts.metrics_path("analyze", name), result.metrics)


if __name__ == "__main__":
    run_stage(main)
