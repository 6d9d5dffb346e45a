"""What uncertainty costs a query: this library's beside that of others, in one run."""
