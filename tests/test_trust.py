"""Where ltau runs code that a file holds: in these places, and in no others.

Each of them says so in its docstring, and SECURITY.md says what it means. The source is read
here, and nothing of it is imported.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

KNOWN = {
    "ltau/__init__.py: import_module",  # modules of ltau
    "ltau/_commands/demo.py: import_module",  # a module of ltau
    "ltau/_commands/frames/runs.py: import_module",  # what the user names
    "ltau/_commands/running.py: import_module",  # a module of ltau
    "ltau/adapters/mace/_models.py: torch.load",
    "ltau/comparison/_finding.py: import_module",  # what the user names
    "ltau/comparison/_models.py: import_module",  # of those that ltau knows
    "ltau/adapters/nequip/_compile.py: load_saved_model",
    "ltau/adapters/nequip/_models.py: load_compiled_model",
    "ltau/adapters/nequip/_models.py: load_saved_model",
    "ltau/adapters/nequip/_run.py: torch.load",  # after load_model has run the same file
}

# By the end of their names. Ruff's rules S look for pickle, eval, exec, yaml.load and shells.
RUN_CODE = {
    "aoti_load_package",
    "import_module",
    "cloudpickle.load",
    "cloudpickle.loads",
    "export.load",
    "hub.load",
    "instantiate",
    "jit.load",
    "joblib.load",
    "load_compiled_model",
    "load_from_checkpoint",
    "load_saved_model",
    "torch.load",
}


def runs_code(call):
    """Whether a call may run code that its input holds."""
    parts = ast.unparse(call.func).split(".")
    given = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    if parts == ["torch", "load"]:
        return given.get("weights_only") is not True
    return given.get("allow_pickle") is True or not RUN_CODE.isdisjoint(
        {parts[-1], ".".join(parts[-2:])}
    )


def found(tree):
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {ast.unparse(call.func) for call in calls if runs_code(call)}


def test_code_of_a_file_runs_where_it_is_known():
    places = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for room in ("ltau", "benchmarks", "examples")
        for path in ROOT.glob(f"{room}/**/*.py")
        for name in found(ast.parse(path.read_text("utf-8")))
    }
    assert places == KNOWN


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("torch.load(file)", {"torch.load"}),
        ("torch.load(file, weights_only=False)", {"torch.load"}),
        ("torch.load(file, weights_only=flag)", {"torch.load"}),
        ("torch.load(file, weights_only=True)", set()),
        ("np.load(file, allow_pickle=True)", {"np.load"}),
        ("np.load(file, allow_pickle=False)", set()),
        ("model.eval()\narchive.load(path)", set()),
        ("hydra.utils.instantiate(config)", {"hydra.utils.instantiate"}),
        ("lightning.Module.load_from_checkpoint(path)", {"lightning.Module.load_from_checkpoint"}),
    ],
)
def test_a_call_that_may_run_code_is_found(code, names):
    assert found(ast.parse(code)) == names
