"""evaluate@<task>: the outcome of every test trial, and the accuracies that follow from it."""

from ctrnn import evaluation, network, params, tasks
from ctrnn.core import artifacts
from ctrnn.errors import run_stage


def main(name: str) -> None:
    """Write artifacts/evaluate/<task>/ and reports/evaluate/<task>.json."""
    settings = params.load("seed", "tasks", "network", "train", "evaluate")
    weights, folder = artifacts.folder("train", name), artifacts.folder("evaluate", name)
    result = evaluation.evaluate(
        tasks.get_task(name, settings.tasks, settings.network.dt),
        tasks.read_test(artifacts.folder("generate", name)),
        network.read_population(weights, settings.train.n_networks),
        settings.network_seeds,
        settings.evaluate.sample_trials,
        network.get_backend(settings.train),
    )
    artifacts.write_json(folder / "settings.json", settings.evaluate.decisive())
    artifacts.write_table(folder / "outcomes.csv", result.outcomes)
    artifacts.write_arrays(folder / "outputs.npz", result.samples())
    metrics = evaluation.metrics(result, artifacts.read_json(weights / "summary.json"))
    artifacts.write_sums(folder)
    artifacts.write_json(artifacts.metrics_path("evaluate", name), metrics)


if __name__ == "__main__":
    run_stage(main)
