"""What a lab sees of its runs in a browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrnn.event_log import EventLogWriter
from ctrnn.tracking import publishing
from tests.browser import CHROMIUM, Browser
from tests.pages import MlflowPages
from tests.server import Server
from tests.tracked import REPOSITORY, all_runs, client_of, fabricate, start_follower, status_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)"
    ),
    # Of SQLAlchemy in MLflow, and of forking a process that has threads (Python 3.12).
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
PNG = (REPOSITORY / "docs" / "pictures" / "psychometric.png").read_bytes()


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, MlflowPages, list[str]]]:
    """A checkout with six runs, two tasks and three values of p_inh; and its pages."""
    root = tmp_path_factory.mktemp("lab")
    (root / "browser").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        done = [
            publishing.publish(task, fabricate(root, p_inh, PNG, task), root).run_id
            for task in ("mante", "go_nogo")
            for p_inh in (0.1, 0.2, 0.3)
        ]
        with (
            Server(tmp_path_factory.mktemp("server"), f"sqlite:///{root}/mlflow.db") as server,
            Browser(root / "browser") as browser,
        ):
            yield root, MlflowPages(browser, server.uri, client_of(root)[1], root), done


def test_the_list_shows_every_run_by_what_it_is(
    lab: tuple[Path, MlflowPages, list[str]],
) -> None:
    _, pages, done = lab
    pages.runs(len(done))
    for name in ("mante p_inh=0.1 tau=20", "go_nogo p_inh=0.3 tau=20"):
        pages.browser.shows(name)
    pages.browser.shows("mante trials train")  # the data set
    text = str(pages.browser.ask("document.body.innerText"))
    assert "Judges" not in text  # of the look that is for language models


def test_six_runs_are_compared_by_p_inh_and_accuracy(
    lab: tuple[Path, MlflowPages, list[str]],
) -> None:
    _, pages, done = lab
    assert pages.comparison(done) == len(done)


def test_a_figure_opens_in_a_run(lab: tuple[Path, MlflowPages, list[str]]) -> None:
    _, pages, done = lab
    pages.figure(done[0], "state_space")


def test_a_curve_grows_while_training_runs(lab: tuple[Path, MlflowPages, list[str]]) -> None:
    root, pages, done = lab
    settings = fabricate(root, 0.4)

    def iterations(first: int, last: int) -> None:
        for i in range(first, last + 1):
            training.write(
                "a",
                [
                    {
                        "iteration": i,
                        "network": network,
                        "loss": 1 / i,
                        "accuracy": None,
                        "gradient_norm": 1.0,
                        "vanished_synapses": 0.0,
                    }
                    for network in range(2)
                ],
            )

    with EventLogWriter("mante", settings, root=root) as training:
        training.write("a", [])
        iterations(1, 20)
        follows = start_follower(training)
        # A page that opens before the first points are in the store looks for no chart later.
        while not (
            live := [r for r in all_runs(root) if r.info.status == "RUNNING" and r.data.metrics]
        ):
            time.sleep(0.1)
        run_id = live[0].info.run_id
        assert run_id not in done
        pages.open_curves(run_id)
        assert pages.points(at_least=20) == 20
        iterations(21, 60)
        assert pages.points(at_least=60) == 60
    assert status_of(follows) == 0
    shutil.rmtree(root / ".checkpoints")
