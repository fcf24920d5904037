"""The link to MLflow, and the only importer of it: one run per task and content key.

`python -m ctrnn.tracking init` makes store and experiment; safe to repeat, and for many at once.
`python -m ctrnn.tracking ui` goes on as `mlflow ui` on that store, on this machine only.
`python -m ctrnn.tracking live LOG` shows a training while it runs; the stage train starts it.
"""
