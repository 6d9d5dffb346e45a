"""What all adapters of force fields share: the results' names, and how they reach files."""
