"""Errors of the training samples: their bins, their counts, and where they come from."""
