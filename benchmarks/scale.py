"""What sweeps of thousands of points cost, and what slows down first.

`PYTHONPATH=src:. python benchmarks/scale.py --folder SCRATCH` runs a point of the shipped settings with 10 networks on
one core and counts what it leaves; then multiplies its MLflow runs by their rows in SQLite, and its DVC experiment by
commits with other settings, and times who reads and writes them. `--part` for some of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import record
from ctrnn.sweep import runner
from ctrnn.sweep.checkout import Checkout
from ctrnn.tracking.runs import KEY

ROOT = Path(__file__).parents[1]
OF_A_RUN = ("params", "metrics", "latest_metrics", "tags")  # tables of MLflow with a run_uuid
FIND = "from mlflow import MlflowClient as C; c = C(); ids = [c.get_experiment_by_name('ctrnn').experiment_id]"
LISTED = "import pathlib; from ctrnn.sweep import checkout as c; c.Checkout(pathlib.Path.cwd()).experiments()"
# From a small process: the peak of one that is started counts the memory of who starts it.
WATCH = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""
Row = dict[str, Any]


def code(text: str) -> list[str]:
    """A command that runs Python code."""
    return [sys.executable, "-c", text]


def timed(what: str, n: int, command: list[str], cwd: Path, **shell: str) -> Row:
    """Seconds and peak memory of a command, Python's start and imports included."""
    environment = {**os.environ, "PYTHONPATH": "src", "MLFLOW_DISABLE_TELEMETRY": "true", **shell}
    begun = time.perf_counter()
    printed = subprocess.check_output([*code(WATCH), *command], cwd=cwd, env=environment, text=True)
    seconds = round(time.perf_counter() - begun, 2)
    failed, peak = map(int, printed.split())
    row = {"what": what, "n": n, "seconds": seconds, "peak_mb": peak // 1024, "exit": failed}
    print(row, flush=True)
    return row


def files(folder: Path) -> tuple[int, int]:
    """Number and bytes of the files below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def point(folder: Path) -> list[Row]:
    """One point, all tasks: seconds by stage, and the files and rows that it leaves where nothing was before."""
    Checkout(ROOT).git("clone", "--quiet", str(ROOT), str(root := folder / "checkout"))
    before = sum(os.times()[2:4])  # processor time of what was started
    job = {"root": str(root), "commit": Checkout(root).commit, "name": "ten", "threads": 1}
    done = runner.run({**job, "overrides": ["train.n_networks=10", "train.threads=1"]})
    cpu = sum(os.times()[2:4]) - before
    return [{"what": "point", "cpu_seconds": round(cpu, 1), **done}, *left(root)]


def left(root: Path) -> list[Row]:
    """The files and rows that points leave behind."""
    folders = (".dvc/cache", "mlartifacts", ".checkpoints", ".dvc/tmp/exps/sweep/logs")
    kept = [(name, *files(root / name)) for name in folders]
    rows: list[Row] = [{"what": name, "files": many, "bytes": size} for name, many, size in kept]
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        for table in ("runs", *OF_A_RUN, "inputs"):
            many = database.execute(f"select count(*) from {table}").fetchone()[0]
            rows.append({"what": f"rows of {table}", "rows": many})
    objects = ["rev-list", "--objects", "--disk-usage", "--glob=refs/exps/*", "--not", "HEAD"]
    return [*rows, {"what": "git", "bytes": int(Checkout(root).git(*objects))}]


def multiply(source: Path, target: Path, n: int) -> None:
    """A copy of an SQLite store whose finished runs, with all their rows, are repeated until there are n."""
    target.parent.mkdir(parents=True)
    shutil.copyfile(source, target)
    with closing(sqlite3.connect(target)) as database:
        database.executescript("pragma journal_mode=off; pragma cache_size=-2000000")
        query = "select name, sql from sqlite_master where type = 'index' and sql is not null"
        indexes = database.execute(query).fetchall()
        for name, _ in indexes:  # made anew at the end: faster, and without gaps
            database.execute(f"drop index {name}")
        runs = [r for (r,) in database.execute("select run_uuid from runs where status='FINISHED'")]
        pairs = [(runs[i % len(runs)], os.urandom(16).hex()) for i in range(n - len(runs))]
        database.execute("create temp table copies (old, new, primary key (old, new))")
        database.executemany("insert into copies values (?, ?)", pairs)
        for table in ("runs", *OF_A_RUN, "inputs"):
            own = "destination_id" if table == "inputs" else "run_uuid"
            names = [row[1] for row in database.execute(f"pragma table_info({table})")]
            taken = ", ".join("new" if name == own else f'"{name}"' for name in names)
            # Run after run, as they are written; metrics, which nobody reads as a whole, by key, which is faster.
            by = "" if table == "metrics" else "order by new"
            inner = f"select * from {table} order by 1"
            query = f"select {taken} from ({inner}) cross join copies on old = {own} {by}"
            database.execute(f"insert into {table} {query}")
        # Every run has a content of its own, and its time.
        database.execute(f"update tags set value = hex(randomblob(16)) where key = '{KEY}'")
        database.execute("update runs set start_time = start_time - abs(random() % 1000000000)")
        for _, sql in indexes:
            database.execute(sql)
        database.commit()


def store(folder: Path, n: int) -> list[Row]:
    """MLflow with n runs on SQLite: what reads all of them, a page of them, and what adds one."""
    database = folder / "stores" / str(n) / "mlflow.db"
    multiply(folder / "checkout" / "mlflow.db", database, n)
    clone = folder / "checkout" / ".dvc" / "tmp" / "exps" / "sweep" / "clones" / "0"
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    best = "order_by=['metrics.`accuracy/mean` DESC']"
    reads = {
        "search_runs, newest 100": code(f"{FIND}; c.search_runs(ids, max_results=100)"),
        "search_runs, best 100": code(f"{FIND}; c.search_runs(ids, max_results=100, {best})"),
        "ctrnn.runs()": code("import ctrnn; ctrnn.runs()"),
    }
    command = [sys.executable, "stages/publish.py", "mante"]
    rows: list[Row] = [{"what": "mlflow.db", "n": n, "bytes": database.stat().st_size}]
    rows.append(timed("MLflow's import and its store", n, code(FIND), ROOT, **uri))
    rows += [timed(f"publish, {run} run", n, command, clone, **uri) for run in ("new", "same")]
    rows += [timed(what, n, command, ROOT, **uri) for what, command in reads.items()]
    here = "http://127.0.0.1:5791"
    command = ["mlflow", "server", "--port", "5791", "--backend-store-uri", *uri.values()]
    server = subprocess.Popen([*command, "--workers", "1"], cwd=folder, start_new_session=True)
    try:
        subprocess.run(["curl", "--retry", "60", "--retry-connrefused", "-s", f"{here}/health"])
        rows += [
            timed(f"{what}, HTTP", n, command, ROOT, MLFLOW_TRACKING_URI=here)
            for what, command in [("first", reads["search_runs, newest 100"]), *reads.items()]
        ]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    return rows


def experiments(folder: Path, n: int, listed: bool) -> list[Row]:
    """n experiments of DVC, in a clone: who lists them, and what git takes to push one more."""
    root, clone = folder / "checkout", folder / "experiments" / str(n)
    subprocess.run(["git", "clone", "--quiet", str(root), str(clone)], check=True)
    git = Checkout(clone).git
    git("fetch", "--quiet", str(root), "refs/exps/*:refs/exps/*")
    head = git("rev-parse", "HEAD").strip()
    ref = git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/ten").strip()
    same = git("diff", "--raw", "--no-abbrev", "--no-renames", head, ref).splitlines()
    changes = [f"M {c.split()[1]} {c.split()[3]} {c.partition(chr(9))[2]}\n" for c in same]
    changed = ("params.yaml", "dvc.lock")[: 1 + listed]
    texts = {path: git("show", f"{ref}:{path}") for path in changed}
    stream = []
    for i in range(n - 1):
        begin = f"commit {ref}{i}\ncommitter c <c@c> {i} +0000\ndata 4\ncopy\nfrom {head}\n"
        stream += [begin, *changes]
        for path, text in texts.items():
            other = text.replace("p_inh: 0.2", f"p_inh: 0.2{i:06}1")
            stream += [f"M 100644 inline {path}\ndata {len(other.encode())}\n{other}\n"]
    git("fast-import", "--quiet", stdin="".join(stream))
    forms = ("--json", "--json", "--csv") if listed else ()  # the first fills DVC's own cache
    rows = [timed(f"dvc exp show {f}", n, ["dvc", "exp", "show", f], clone) for f in forms]
    rows += [timed("Checkout.experiments()", n, code(LISTED), clone)] if listed else []
    for form in ("loose", "packed"):
        if form == "packed":
            git("pack-refs", "--all")
        push = ["git", "push", "--quiet", str(clone), f"{ref}:refs/exps/00/{form}/one"]
        rows.append(timed(f"git for-each-ref, {form}", n, ["git", "for-each-ref"], clone))
        rows.append(timed(f"git push of an experiment, {form}", n, push, root))
    return rows


def main() -> None:
    """Measure the parts that are asked for, and put their rows in the place of earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--part", nargs="+", default=["point", "store", "experiments"])
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    record_of: dict[str, list[Row]] = record.read("scale") or {}
    if "point" in given.part:
        record_of["point"] = point(folder)
    if "store" in given.part:
        record_of["store"] = [*store(folder, 1000), *store(folder, 10000)]
    if "experiments" in given.part:
        sizes = (100, 500, 10000)
        record_of["experiments"] = [
            r for n in sizes for r in experiments(folder, n, listed=n <= 500)
        ]
    record.write("scale", record_of)


if __name__ == "__main__":
    main()
