"""Command line of the tracking store: `python -m ctrnn.tracking init | uri | publish | live DIARY`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctrnn import params, tracking
from ctrnn.complaints import one_sentence
from ctrnn.tracking import live, place


def main(arguments: list[str] | None = None) -> None:
    """Run a command in the current folder's checkout. Exits with one sentence where it fails."""
    parser = argparse.ArgumentParser(prog="python -m ctrnn.tracking", description=main.__doc__)
    parser.add_argument("command", choices=["init", "uri", "publish", "live"])
    parser.add_argument("diary", nargs="?", type=Path)
    given = parser.parse_args(arguments)
    command = given.command
    with one_sentence(f"tracking {command}"):
        if command == "uri":
            print(place.find().uri)
        elif command == "init":
            print(tracking.init(params.load()))
        elif command == "live":
            live.follow(given.diary)
        else:  # what a clone with results from git or from the cache has not put into its store
            settings = params.load()
            for task in settings.tasks:
                done = tracking.publish(task, settings)
                print(f"{done.name}: run {done.run_id} {done.action}")


if __name__ == "__main__":
    main()
