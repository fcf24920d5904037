"""The equations of a unit, written once: a file a model, a line an activation, and everything derived from these."""
