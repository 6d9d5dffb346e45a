"""Which relaxations went wrong, what warned of it, and how well."""
