"""report: figures of every task and the page that shows them."""

from ctrnn import params, report
from ctrnn.complaints import one_sentence


def main() -> None:
    """Write reports/figures/ and reports/index.html."""
    report.build(params.load())


if __name__ == "__main__":
    with one_sentence("report"):
        main()
