"""The training set condensed to fewer samples that stand for many."""
