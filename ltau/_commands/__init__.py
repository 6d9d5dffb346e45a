"""The commands of ltau, one module each: its arguments, and what runs them.

A module imports what its command needs only when the command runs, so that ``ltau --help``
answers at once, whatever is installed.
"""
