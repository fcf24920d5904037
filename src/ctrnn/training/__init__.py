"""Training of a population of networks on a task: `loop.train`, `state.save`."""
