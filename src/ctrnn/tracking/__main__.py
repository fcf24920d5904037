"""Command line of the tracking store: `python -m ctrnn.tracking init | uri`."""

from __future__ import annotations

import argparse

from ctrnn import params, tracking
from ctrnn.complaints import ParamsError
from ctrnn.tracking import place


def main(arguments: list[str] | None = None) -> None:
    """Run a command in the current folder's checkout. Exits with one sentence where it fails."""
    parser = argparse.ArgumentParser(prog="python -m ctrnn.tracking", description=main.__doc__)
    parser.add_argument("command", choices=["init", "uri"])
    command = parser.parse_args(arguments).command
    try:
        print(tracking.init(params.load()) if command == "init" else place.find().uri)
    except (tracking.TrackingError, ParamsError) as error:
        raise SystemExit(f"tracking {command}: {error}") from None


if __name__ == "__main__":
    main()
