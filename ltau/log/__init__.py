"""The errors of every epoch in a folder, safe from whatever happens to the run."""

from ltau.log._log import ErrorLog
from ltau.log._merge import merge_logs

__all__ = ["ErrorLog", "merge_logs"]
