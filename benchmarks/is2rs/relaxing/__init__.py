"""Force fields that are trained here, and relaxations by them."""
