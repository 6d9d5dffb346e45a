"""The progress of a long call, shown on a terminal or in a notebook."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from multiprocessing import current_process
from shutil import get_terminal_size
from typing import Any

__all__ = ["Tell", "progress"]

Tell = Callable[[str], None]

_PATIENCE, _EVERY = 3.0, 1.0  # seconds before the first line, and between later ones

_is_inside = ContextVar(
    "a call of ltau that tells what it is at, or was told not to", default=False
)


@contextmanager
def progress(call: str, verbose: bool | int | None = None) -> Iterator[Tell]:
    """Show what a call is doing, and for how long it has run.

    Of nested calls only the outermost shows progress, and decides whether to.

    Parameters
    ----------
    call : str
        What is called.
    verbose : bool, int or None, default=None
        None shows it on a terminal or in a notebook, once the call has taken some seconds;
        True from the start, with each step on a line of its own where the standard error is
        neither; False never.

    Yields
    ------
    callable
        To be called with the name of each step, when it begins.
    """
    inside, watched = _is_inside.get(), _is_watched()
    token = _is_inside.set(True)
    try:
        if inside or not (watched if verbose is None else verbose):
            yield _say_nothing
        elif watched:
            with closing(_Line(call, 0.0 if verbose else _PATIENCE)) as line:
                yield line.tell
        else:
            yield lambda step: print(f"{call}: {step}", file=sys.stderr, flush=True)
    finally:
        _is_inside.reset(token)


def _say_nothing(step: str) -> None:
    pass


def _is_watched() -> bool:
    """Whether what this thread writes is likely to be read, and not by a program."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or current_process().name != "MainProcess" or sys.stderr is None:
        return False
    return sys.stderr.isatty() or _is_notebook()


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # not imported for this
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel") and "IPython.display" in sys.modules


class _Line:
    """A line that a thread writes again every second, and that stays with the time it all took."""

    def __init__(self, call: str, patience: float) -> None:
        self._call, self._step, self._patience = call, "", patience
        self._start = time.monotonic()
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._write_on, daemon=True)
        self._output: _Terminal | _Cell = _Cell() if _is_notebook() else _Terminal()

    def tell(self, step: str) -> None:
        """Take note of the next step."""
        is_first, self._step = not self._step, f": {step}"
        if is_first:
            self._writer.start()

    def close(self) -> None:
        """Leave the line as it is to stay, if there was any."""
        self._over.set()
        if self._step:
            self._writer.join()
        self._step = ""
        self._output.finish(self._text())

    def _write_on(self) -> None:
        wait = self._patience
        while not self._over.wait(wait):
            self._output.write(self._text())
            wait = _EVERY

    def _text(self) -> str:
        return f"{self._call}, {time.monotonic() - self._start:.0f} s{self._step}"


class _Terminal:
    """The last line of a terminal."""

    _width = 0

    def write(self, text: str, end: str = "") -> None:
        """Write over what is there."""
        text = text[: get_terminal_size().columns - 1]
        print(f"\r{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = len(text)

    def finish(self, text: str) -> None:
        """Write for the last time, if anything was."""
        if self._width:
            self.write(text, end="\n")


class _Cell:
    """An output of a notebook's cell."""

    _handle: Any = None

    def write(self, text: str) -> None:
        """Write over what is there."""
        data = {"text/plain": text}
        if self._handle is None:
            display = sys.modules["IPython.display"].display
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def finish(self, text: str) -> None:
        """Write for the last time, if anything was."""
        if self._handle is not None:
            self.write(text)
