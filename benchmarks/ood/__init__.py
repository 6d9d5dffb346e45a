"""Error bars beyond the training domain: LTAU against other methods, on shifts of data."""
