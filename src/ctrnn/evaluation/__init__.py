"""What trained networks answer on the test trials: `performance`."""
