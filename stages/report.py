"""report: figures of every task and the page that shows them."""

from ctrnn import params
from ctrnn.errors import run_stage
from ctrnn.report import page


def main() -> None:
    """Write reports/figures/ and reports/index.html."""
    sections = ("seed", "tasks", "network", "train", "evaluate", "analyze", "report")
    page.build(params.read().only(*sections))


if __name__ == "__main__":
    run_stage(main)
