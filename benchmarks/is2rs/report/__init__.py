"""What the benchmark writes: measurements, tables and figures."""
