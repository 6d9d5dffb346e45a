"""Run with ``python -m ltau``: the same as the command ``ltau``."""

from ltau.cli import main

if __name__ == "__main__":
    main()
