"""The methods that are compared: one protocol for every benchmark, one method a file."""
