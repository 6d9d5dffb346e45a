"""What `import ltau` brings along, what it brings when it is asked, and what displays do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ltau

HEAVY = ["ase", "dask", "distributed", "lightning", "matplotlib", "nequip", "skorch", "torch"]


def imported(code, modules):
    """Which modules are there once some code has run."""
    code = f"import sys; {code}; print([m for m in {modules} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1]


def test_the_core_is_light():
    code = "import ltau, ltau.plotting; [getattr(ltau, name) for name in ltau.__all__]"
    assert imported(code, HEAVY) == "[]"


def test_the_command_line_imports_no_numbers_before_a_command_runs():
    code = "from ltau.cli import main; main([])"
    assert imported(code, ["numpy", "scipy", "sklearn", "faiss"]) == "[]"


def test_names_are_found_where_types_are_checked():
    tree = ast.parse(Path(ltau.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {alias.name: node.module for node in block.body for alias in node.names}
    assert homes == ltau._HOMES
    assert sorted(homes) == sorted(ltau.__all__)
    for name in homes:
        assert getattr(ltau, name).__name__ == name
        assert name in dir(ltau)


def test_modules_are_there_without_an_import_of_their_own():
    assert ltau.metrics.coverage([0.1], upper=[0.2]) == 1.0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ltau.nothing  # noqa: B018
