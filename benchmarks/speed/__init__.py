"""How fast things are: benchmarks for pytest, and scripts that print a table."""
