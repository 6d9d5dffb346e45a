"""Children with limits: of time, of memory, or of both."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(script, *arguments, given="", seconds=120, memory=None):
    """Run a script of this folder, or lines of Python; the child ends at the limits."""
    command = [script] if script.endswith(".py") else ["-c", script]

    def limit():
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        preexec_fn=limit,
        check=False,
    )


def load_all(paths, *, mmap=False, ask=False, seconds=120, memory=None):
    """Load files in a child; give what it says of each."""
    given = json.dumps([mmap, ask, *map(str, paths)])
    done = run("tests/faults/loading.py", given=given, seconds=seconds, memory=memory)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{lines[-1:]} ended the process: {done.stderr[-2000:]}"
    named, results = lines[::2], lines[1::2]
    return {Path(line["path"]).name: result for line, result in zip(named, results, strict=True)}
