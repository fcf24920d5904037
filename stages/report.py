"""report: figures of every task and the page that shows them."""

from ctrnn import params, report
from ctrnn.complaints import run_stage


def main() -> None:
    """Write reports/figures/ and reports/index.html."""
    report.build(params.load())


if __name__ == "__main__":
    run_stage(main)
