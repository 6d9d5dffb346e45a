"""What the command `ltau demo` runs: the whole method on real data, once for each kind of model."""
