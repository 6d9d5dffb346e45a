"""What `import ltau` brings along, and what the displays do."""

import subprocess
import sys

HEAVY = ["ase", "dask", "distributed", "lightning", "matplotlib", "nequip", "skorch", "torch"]


def test_import_is_light():
    code = f"import sys, ltau, ltau.plotting; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
