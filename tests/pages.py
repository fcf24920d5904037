"""The pages of MLflow that a lab looks at: opened, waited for, and taken as pictures (tools/docs_pictures.py)."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from tests.browser import Browser

# By default MLflow 3 opens on language models, and an assistant covers a quarter of the page. What a page does every
# 30 s, such as looking for new points, it does every 2 s here.
LOOK = "workflowType=machine_learning"
SCRIPT = """
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
const interval = window.setInterval;
window.setInterval = (call, wait, ...more) => interval(call, Math.min(wait, 2000), ...more);
"""
# Points of the first curve that is drawn.
POINTS = "(document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.length ?? 0)"


class MlflowPages:
    """Pages of an experiment at the address of a server; `folder` gets the pictures."""

    def __init__(self, browser: Browser, uri: str, experiment: str, folder: Path) -> None:
        self.browser, self.uri, self.experiment, self.folder = browser, uri, experiment, folder
        browser.call("Page.enable")
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=SCRIPT)

    def runs(self, n_runs: int) -> bytes:
        """The list of runs, with that many in it."""
        self._open(f"experiments/{self.experiment}/runs?{LOOK}")
        self.browser.shows(f"{n_runs} matching runs")
        self.browser.until("document.querySelectorAll('[role=row] a[href*=\"/runs/\"]').length > 1")
        return self._picture("runs")

    def open_curves(self, run_id: str) -> None:
        """The curves of a run's loss, their mean first."""
        self._open(f"experiments/{self.experiment}/runs/{run_id}/model-metrics?{LOOK}")
        self._search("loss/")

    def points(self, at_least: int) -> int:
        """Points of the first curve that is open, once there are so many."""
        self.browser.until(f"{POINTS} >= {at_least}")
        self._picture("curve")
        return int(self.browser.ask(POINTS))

    def comparison(self, run_ids: list[str]) -> int:
        """Points of a scatter plot of p_inh against accuracy, on the page that compares these runs."""
        runs, experiments = (quote(json.dumps(x)) for x in (run_ids, [self.experiment]))
        self._open(f"compare-runs?runs={runs}&experiments={experiments}&{LOOK}")
        self.browser.click(_with_text("[role=tab]", "Scatter Plot"))
        for axis, name in (("x", "network.p_inh"), ("y", "accuracy/mean")):
            self.browser.click(f"document.querySelector('#{axis}-axis-selector')")
            option = _with_text("[role=option]", name)
            self.browser.until(f"!!({option})")
            self.browser.ask(f"({option}).click()")  # wherever the list is that still opens
            self.browser.until(
                f"document.querySelector('.{axis}title')?.textContent == {json.dumps(name)}"
            )
        self._picture("compare")
        return int(self.browser.ask(POINTS))

    def charts(self, n_runs: int) -> int:
        """Lines of the first chart, a line per run, where the loss of all runs is drawn."""
        self._open(f"experiments/{self.experiment}/runs?{LOOK}&compareRunsMode=CHART")
        self.browser.shows(f"{n_runs} matching runs")
        self._search("loss/mean")
        lines = "(document.querySelector('.js-plotly-plot')?.data?.length ?? 0)"
        self.browser.until(f"{lines} >= {n_runs} && {POINTS} > 1")
        self._picture("charts")
        return int(self.browser.ask(lines))

    def figure(self, run_id: str, name: str) -> bytes:
        """A figure among the files of a run."""
        self._open(
            f"experiments/{self.experiment}/runs/{run_id}/artifacts/figures/{name}.png?{LOOK}"
        )
        self.browser.until(
            "[...document.querySelectorAll('img')].some(i => i.src.startsWith('blob:') && i.naturalWidth > 100)"
        )
        where = (
            "[...document.querySelectorAll('*')].findLast(e => e.innerText?.startsWith('Path: '))"
        )
        self.browser.ask(f"({where}).style.visibility = 'hidden'")  # it is of this machine
        return self._picture("figure")

    def _search(self, metric: str) -> None:
        search = "document.querySelector('input[placeholder=\"Search metric charts\"]')"
        self.browser.until(f"{search} && ({search}.focus(), true)")
        self.browser.call("Input.insertText", text=metric)

    def _open(self, path: str) -> None:
        self.browser.open(f"{self.uri}/#/{path}")

    def _picture(self, name: str) -> bytes:
        self.browser.ask("new Promise(r => setTimeout(r, 1000))")  # what moves comes to rest
        return self.browser.picture(self.folder / f"mlflow-{name}.png")


def _with_text(selector: str, text: str) -> str:
    elements = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return f"{elements}.find(e => e.innerText.trim() == {json.dumps(text)})"
