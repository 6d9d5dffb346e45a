"""How times, memory and losses grow with the number of training samples."""
