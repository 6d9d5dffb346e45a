"""What two benchmarks share: data, networks, timing, processes, tables."""
