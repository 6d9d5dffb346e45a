"""Child processes for attacks: with a time limit, on small disks, refused what they ask for."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSING = Path(__file__).with_name("refusing.py")

# `ltau` without what its __init__ imports, which takes a second, and what a child may call.
_BEFORE = f"""
import importlib.util, os, sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules["ltau"] = importlib.util.module_from_spec(importlib.util.find_spec("ltau"))
spec = importlib.util.spec_from_file_location("refusing", {str(REFUSING)!r})
refusing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refusing)
import numpy as np
from ltau.log import ErrorLog
"""


def start(code, *arguments, within=(), threads=1):
    """Start a child, whose output and input are pipes, with so many threads of OpenMP."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [*within, sys.executable, "-c", _BEFORE + code, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "default"}
    return subprocess.Popen(command, text=True, env=environment, **pipes)


def live_on(child, seconds):
    """Let a child live for some time yet."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=seconds)


def run(code, *arguments, within=(), limit=60, threads=1):
    """Run a child to its end, and give its output; a child that hangs or fails fails the test."""
    with start(code, *arguments, within=within, threads=threads) as child:
        try:
            output, errors = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            child.kill()
            pytest.fail(f"the child hangs: {child.communicate()}")
    assert child.returncode == 0, errors
    return output


def run_on_small_disk(code, *arguments, kilobytes):
    """Run a child that may use a disk of its own, of so many kB, at the path of argument 1."""
    if not small_disks():
        pytest.skip("this system lets us mount no disk of our own")
    with tempfile.TemporaryDirectory() as folder:
        mount = f'mount -t tmpfs -o size={kilobytes}k tmpfs "{folder}" && exec "$@"'
        within = [*_OWN_MOUNTS, "sh", "-c", mount, "sh"]
        return run(code, folder, *arguments, within=within)


_OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")


@cache
def small_disks():
    """Tell whether a process may mount a disk that no other sees."""
    if not shutil.which("unshare"):
        return False
    trial = [*_OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


needs_refusals = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="system calls are refused on Linux, on x86-64",
)
