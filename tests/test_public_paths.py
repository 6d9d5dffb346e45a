"""What documents and configurations name can be imported from where they say."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

for framework in ("torch", "lightning", "skorch", "distributed", "nequip", "matplotlib"):
    pytest.importorskip(framework)

ROOT = Path(__file__).resolve().parents[1]

DOTTED = r"\bltau(?:\.[A-Za-z]\w*)+"
IMPORT = r"^[ >]*from (ltau(?:\.[A-Za-z]\w*)*) import ([\w, ]+)"


def documents():
    """Pages and configurations, and the source, whose docstrings show how it is imported."""
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md")
    for room in ("docs", "examples", "benchmarks", "ltau"):
        for suffix in ("rst", "md", "yaml", "yml", "py"):
            found = (ROOT / room).rglob(f"*.{suffix}")
            # What `make docs` has written escapes its underscores.
            yield from (path for path in found if not {"generated", "_build"} & set(path.parts))


def documented_paths():
    """Dotted names of the library that are public, wherever they stand."""
    for path in documents():
        text = path.read_text("utf-8")
        binds_the_name = re.search(r"^ *ltau = ", text, re.M)  # to an estimator
        if path.suffix != ".py" and not binds_the_name:
            yield from re.findall(DOTTED, text)
        for module, names in re.findall(IMPORT, text, re.M):
            yield from (
                f"{module}.{name.split()[0]}"
                for name in names.split(",")
                if name.strip() and not name.strip().startswith("_")
            )


PATHS = sorted(set(documented_paths()))


# What no environment has beside NequIP, or not every one.
OPTIONAL = {
    "ltau.adapters.chgnet": "chgnet",
    "ltau.adapters.mace": "mace",
    "ltau.adapters.matgl": "matgl",
    "ltau.adapters.metatomic": "metatomic_ase",
    "ltau.adapters.sevennet": "sevenn",
}


def find(path):
    """Import a dotted name: the longest module in it, and what that has of the rest."""
    module, names = path, []
    while True:
        try:
            thing = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
        else:
            break
    for name in names:
        thing = getattr(thing, name)
    return thing


@pytest.mark.parametrize("path", PATHS)
def test_what_is_documented_can_be_imported(path):
    for module, package in OPTIONAL.items():
        if path.startswith(module) and find_spec(package) is None:
            pytest.skip(f"there is no {package}")
    assert find(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        "ltau.adapters.nequip.ErrorRecorderCallback",  # a target of configurations
        "ltau.log.merge_logs",
        "ltau.LTAUEstimator",
    ],
)
def test_these_are_among_them(path):
    assert path in PATHS


def test_what_is_not_there_is_not_found():
    with pytest.raises(AttributeError, match="Nothing"):
        find("ltau.log.Nothing")
