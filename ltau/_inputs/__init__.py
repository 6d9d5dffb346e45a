"""What comes in: numbers, labels, and what is missing among them."""
