"""Opening trained networks up, arrays in and arrays out: `analyze`."""
