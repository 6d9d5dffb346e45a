"""What a fit leaves, and what is predicted from it."""
