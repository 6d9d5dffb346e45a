"""Error bars on public regression sets: LTAU against other methods."""
