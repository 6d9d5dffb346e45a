"""Measurements of ltau: its speed, and its error bars against those of other methods."""
