"""Command line of the tracking store: `python -m ctrnn.tracking init | ui | publish | live LOG`."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from ctrnn import params
from ctrnn.errors import exit_on_user_error
from ctrnn.tracking import config, live, publishing
from ctrnn.tracking.config import TrackingError

HOST = "127.0.0.1"  # the page is for this machine only
# Else MLflow starts eight processes beside its server, for judges of language models.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def main(arguments: list[str] | None = None) -> None:
    """Run a command in the current folder's checkout. Exits with one sentence where it fails."""
    parser = argparse.ArgumentParser(prog="python -m ctrnn.tracking", description=main.__doc__)
    parser.add_argument("command", choices=["init", "ui", "publish", "live"])
    parser.add_argument("event_log", nargs="?", type=Path)
    parser.add_argument("--port", type=int, default=5000, help="of the page that ui opens")
    given = parser.parse_args(arguments)
    command = given.command
    with exit_on_user_error(f"tracking {command}"):
        if command == "init":
            print(publishing.init(params.read()))
        elif command == "ui":
            open_page(given.port)
        elif command == "live":
            live.follow(given.event_log)
        else:  # what a clone with results from git or from the cache has not put into its store
            settings = params.read()
            for task in settings.tasks:
                done = publishing.publish(task, settings)
                print(f"{done.name}: run {done.run_id} {done.action}")
                if done.edited:
                    keys = ", ".join(done.edited)
                    print(f"  of dvc.lock's settings: params.yaml has other values of {keys} now")


def open_page(port: int) -> None:
    """Go on as `mlflow ui`. Raises TrackingError where the port is taken, or where a server shows the runs itself.

    The address goes by the environment, since others see a command line.
    """
    where = config.resolve()
    if where.is_server:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI names a server, which shows its runs itself; open {where.shown} in a browser, or "
            "unset the variable to see the checkout's own store"
        )
    try:
        if port < 1:
            raise OverflowError
        socket.create_server((HOST, port)).close()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else "there are 1 to 65535"
        other = port + 1 if 0 < port < 65535 else 5001
        raise TrackingError(
            f"port {port} of {HOST} cannot be used ({reason}); take another: make ui PORT={other}"
        ) from None
    # Its other look is for language models.
    print(f"Open http://{HOST}:{port}/#/experiments?workflowType=machine_learning", flush=True)
    config.prepare_environment(where)
    os.environ |= NO_JOBS | {"MLFLOW_BACKEND_STORE_URI": where.uri}
    os.execvp("mlflow", ["mlflow", "ui", "--host", HOST, "--port", str(port)])


if __name__ == "__main__":
    main()
