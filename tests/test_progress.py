"""Long calls tell what they are at, and only where somebody looks."""

import os
import re
import sys
import time

import numpy as np
import pytest

import ltau
from ltau import LTAUEstimator, _progress
from ltau._progress import progress
from ltau.adapters.sklearn import LTAURegressor


@pytest.fixture
def open_terminal(monkeypatch):
    """Open a terminal in the place of the standard error, and give what reads it."""
    pty = pytest.importorskip("pty")
    here, there = pty.openpty()
    os.set_blocking(here, False)

    def read():
        try:
            return os.read(here, 1 << 16).decode()
        except BlockingIOError:
            return ""

    with open(there, "w", buffering=1) as file:

        def opened():  # in the test, since pytest sets the standard error before it
            monkeypatch.setattr(sys, "stderr", file)
            monkeypatch.setattr(_progress, "_EVERY", 0.01)
            monkeypatch.setattr(_progress, "_PATIENCE", 60.0)
            return read

        yield opened
    os.close(here)


def until(read, pattern):
    """Read until the pattern is there."""
    text = ""
    for _ in range(10_000):
        text += read()
        if re.search(pattern, text):
            return text
        time.sleep(0.005)
    raise AssertionError(f"{pattern!r} is not in {text!r}")


def test_a_terminal_shows_one_line_once_the_call_has_taken_long(open_terminal, monkeypatch):
    terminal = open_terminal()
    with progress("call") as tell:
        tell("short")
    assert terminal() == ""
    monkeypatch.setattr(_progress, "_PATIENCE", 0.0)
    with progress("call") as tell:
        tell("first")
        until(terminal, r"\rcall, \d+ s: first")
        tell("second")
        with progress("inner", verbose=True) as inner:
            inner("of another call")
        until(terminal, r"\rcall, \d+ s: second")
    shown = terminal()
    assert re.search(r"\rcall, \d+ s +\r\n$", shown)
    assert "inner" not in shown


def test_what_was_told_to_be_silent_is_so_on_a_terminal(open_terminal, monkeypatch):
    terminal = open_terminal()
    monkeypatch.setattr(_progress, "_PATIENCE", 0.0)
    with progress("call", verbose=False) as tell, progress("inner") as inner:
        tell("step")
        inner("step")
    assert terminal() == ""


def test_a_script_is_silent_unless_it_is_told_not_to_be(capsys):
    rng = np.random.default_rng(0)
    X, errors = rng.normal(size=(60, 2)), rng.random((60, 3))
    LTAUEstimator().fit(X, errors)
    LTAURegressor().fit(X, X[:, 0])
    assert capsys.readouterr() == ("", "")
    LTAUEstimator(verbose=True).fit(X, errors)
    assert capsys.readouterr().err.splitlines() == [
        "LTAUEstimator.fit: range of the errors",
        "LTAUEstimator.fit: latents and errors",
        "LTAUEstimator.fit: the samples' own neighbours",
    ]
    LTAURegressor(ltau=LTAUEstimator(verbose=1), cv=2, verbose=1).fit(X, X[:, 0])
    steps = ["model of all samples", "fold 1 of 2", "fold 2 of 2", "errors and calibration"]
    assert capsys.readouterr().err.splitlines() == [f"LTAURegressor.fit: {s}" for s in steps]


def test_a_comparison_tells_folds_and_methods(capsys):
    X = np.random.default_rng(0).normal(size=(100, 2))
    ltau.compare("Constant", X, X[:, 0], cv=2, verbose=True)
    assert capsys.readouterr().err == (
        "ltau.compare: fold 1 of 2: Constant\nltau.compare: fold 2 of 2: Constant\n"
    )


def test_a_file_does_not_hold_whether_to_tell(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    LTAUEstimator(verbose=False).fit(X, np.abs(X)).save(tmp_path / "model.ltau")
    assert LTAUEstimator.load(tmp_path / "model.ltau").verbose is None
