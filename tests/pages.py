"""The pages of MLflow that a lab looks at: opened, waited for, and taken as pictures.

`python -m tests.pages` takes those of docs/ from the store of the checkout, which needs its runs (see `main`).
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from ctrnn.tracking import place, store
from tests.browser import Browser
from tests.server import Server

# By default MLflow 3 opens on language models, and an assistant covers a quarter of the page.
LOOK = "workflowType=machine_learning"
NO_ASSISTANT = """
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
"""
# Points of the first curve that is drawn.
POINTS = "(document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.length ?? 0)"


class Pages:
    """Pages of an experiment at the address of a server; `folder` gets the pictures."""

    def __init__(self, browser: Browser, uri: str, experiment: str, folder: Path) -> None:
        self.browser, self.uri, self.experiment, self.folder = browser, uri, experiment, folder
        browser.call("Page.enable")
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=NO_ASSISTANT)

    def runs(self, n_runs: int) -> bytes:
        """The list of runs, with that many in it."""
        self._open(f"experiments/{self.experiment}/runs?{LOOK}")
        self.browser.shows(f"{n_runs} matching runs")
        self.browser.until("document.querySelectorAll('[role=row] a[href*=\"/runs/\"]').length > 1")
        return self._picture("runs")

    def open_curves(self, run_id: str) -> None:
        """The curves of a run's loss, their mean first."""
        self._open(f"experiments/{self.experiment}/runs/{run_id}/model-metrics?{LOOK}")
        search = "document.querySelector('input[placeholder=\"Search metric charts\"]')"
        self.browser.until(f"{search} && ({search}.focus(), true)")
        self.browser.call("Input.insertText", text="loss/")

    def points(self, at_least: int) -> int:
        """Points of the first curve that is open, once there are so many: the page looks every 30 s."""
        self.browser.until(f"{POINTS} >= {at_least}", seconds=90)
        self._picture("curve")
        return int(self.browser.ask(POINTS))

    def comparison(self, run_ids: list[str]) -> bytes:
        """The compare page: parallel coordinates of what differs, p_inh among it, and accuracy."""
        runs, experiments = (quote(json.dumps(x)) for x in (run_ids, [self.experiment]))
        self._open(f"compare-runs?runs={runs}&experiments={experiments}&{LOOK}")
        self.browser.shows(f"Comparing {len(run_ids)} Runs")
        axes = "[...document.querySelectorAll('.axis-title')].map(t => t.textContent)"
        self.browser.until(f"{axes}.includes('network.p_inh') && {axes}.includes('accuracy/mean')")
        return self._picture("compare")

    def figure(self, run_id: str, name: str) -> bytes:
        """A figure among the files of a run."""
        self._open(
            f"experiments/{self.experiment}/runs/{run_id}/artifacts/figures/{name}.png?{LOOK}"
        )
        self.browser.until(
            "[...document.querySelectorAll('img')].some(i => i.src.startsWith('blob:') && i.naturalWidth > 100)"
        )
        return self._picture("figure")

    def _open(self, path: str) -> None:
        self.browser.open(f"{self.uri}/#/{path}")

    def _picture(self, name: str) -> bytes:
        self.browser.ask("new Promise(r => setTimeout(r, 1000))")  # what moves comes to rest
        return self.browser.picture(self.folder / f"mlflow-{name}.png")


def main() -> None:
    """Pictures from six runs (two tasks, three values of p_inh), and of a training of mante that has just begun."""
    root = Path.cwd()
    where = place.find(root)
    client = store.open_store(where)
    experiment = store.experiment_id(client, where, "ctrnn")
    found = [run.info.run_id for run in client.search_runs([experiment])]
    with TemporaryDirectory() as scratch, Server(Path(scratch), where.uri) as server:
        profile = Path(scratch) / "profile"
        profile.mkdir()
        with Browser(profile) as browser:
            pages = Pages(browser, server.uri, experiment, root / "docs")
            if len(found) == 6:
                pages.runs(6)
                pages.comparison(found)
                pages.figure(found[0], "state_space")
            else:
                pages.open_curves(found[0])
                pages.points(20)


if __name__ == "__main__":
    main()
