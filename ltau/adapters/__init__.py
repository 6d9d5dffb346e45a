"""One framework a file, imported only when asked for."""
