"""Figures of every task, and the page that shows them: reports/figures/<task>/*.png and reports/index.html."""
