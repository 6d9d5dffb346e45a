"""Commands of ltau that need more than the core."""
