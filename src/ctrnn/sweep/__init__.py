"""Sweeps: every combination of some settings as a DVC experiment of its own, here or on a cluster.

The order of a sweep: `points` (what is asked for), `plan` (what is left, and what it will cost), `engine` (Ray hands
the points out), `runner` (one point, in a process and a clone of its own), `table`, `effects`, `page` (what came out).
"""
