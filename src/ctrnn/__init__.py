"""Continuous-time recurrent networks of excitatory and inhibitory rate units: train, compare, open up."""

__version__ = "0.1.0"
