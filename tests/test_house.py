"""The house: who may know whom. The source is read here, and nothing of it is imported.

Names that begin with an underscore are private: a module or a package to the package that
it lies in, everything else to its file. Rooms lie in layers, and know what lies below.
"""

import ast
import graphlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. A room imports from the layers below its own, and from itself.
LAYERS = [
    {"_batches", "_inputs", "_pages", "_progress"},
    {"_maths"},
    {"_files"},
    {"metrics"},
    {"neighbors"},
    {"log"},
    {"_errors"},
    {"distribution"},
    {"_fitted"},
    {"_prototypes"},
    {"estimator"},
    {"plotting", "selection", "structures"},
    {"adapters"},
    {"comparison"},
    {"__init__", "_commands", "_demo"},
    {"cli"},
    {"__main__"},
]

MOST_LINES = 400

OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}  # public, says the manual

# Private names of other libraries, for which these have nothing public.
FOREIGN = {
    "sklearn.utils._param_validation": "how its estimators declare what parameters may be",
    "sklearn.utils._safe_indexing": "rows of frames and arrays alike; documented",
    "_combined_loader": "nothing public makes Lightning load its data a second time",
    "_model_capabilities_outputs_names": "metatomic names outputs by old names and new ones",
    "_requested_inputs": "metatomic names inputs by old names or new ones, the model by either",
    "_VF": "torch's own functions, where torch_geometric has put another in the place of one",
    "_GLOBAL_STATE_INITIALIZED": "nequip can set its global state, and cannot take it back",
}


@cache
def sources():
    """Syntax trees of all source files, by their paths."""
    files = [
        path for room in ("ltau", "benchmarks", "examples") for path in ROOT.glob(f"{room}/**/*.py")
    ]
    return {path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in sorted(files)}


def name_of(path):
    """The dotted name of a module."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def imports(tree):
    """Dotted names of what is imported anywhere in a file, `TYPE_CHECKING` or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports say in full from where"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_shut(imported, package):
    """Whether a private part of a dotted name is closed to the modules of a package."""
    parts = imported.split(".")
    rooms = [".".join(parts[:i]) for i, part in enumerate(parts) if is_private(part)]
    return any(not f"{package}.".startswith(f"{room}.") for room in rooms)


def private_imports(path, tree):
    package = ".".join(path.parts[:-1])
    for imported in imports(tree):
        if is_shut(imported, package) and not imported.startswith(tuple(FOREIGN)):
            yield imported


def sets_own_attribute(node):
    is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return is_set and ast.unparse(node.value) in ("self", "cls")


def own_names(tree):
    """Names that a file gives to functions, classes, and what classes hold."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif sets_own_attribute(node):
            yield node.attr
        if isinstance(node, ast.ClassDef):
            targets = [
                t for s in node.body for t in getattr(s, "targets", [getattr(s, "target", None)])
            ]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def strangers(function, classes):
    """Parameters of a function that are of classes of other files."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is not None:
            known = set(re.findall(r"\w+", ast.unparse(argument.annotation)))
            if known.isdisjoint({*classes, "Any", "Self", "object"}):
                yield argument.arg


def private_reads(tree):
    """Private attributes that are read of objects which are none of the file's own."""
    names = set(own_names(tree)) | OF_NAMED_TUPLES | FOREIGN.keys()
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    strange = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for name in strangers(function, classes)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not is_private(node.attr):
            continue
        owner = ast.unparse(node.value)
        own = owner in ("self", "cls", "super()", "type(self)")
        if not own and (node.attr not in names or id(node.value) in strange):
            yield f"{owner}.{node.attr}"


def test_nobody_reaches_into_what_is_private():
    found = {
        f"{path.as_posix()}: {what}"
        for path, tree in sources().items()
        for what in (*private_imports(path, tree), *private_reads(tree))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("imported", "package", "shut"),
    [
        ("ltau._files.whole.write_whole", "ltau.log", False),
        ("ltau._files.whole.write_whole", "benchmarks", True),
        ("ltau.neighbors._flat.FlatIndex", "ltau.neighbors", False),
        ("ltau.neighbors._flat.FlatIndex", "ltau.neighborsome", True),
        ("ltau.adapters._recording.ids.BatchIds", "ltau.adapters.torch", False),
        ("ltau.adapters._recording.ids.BatchIds", "ltau.estimator", True),
        ("ltau.neighbors._flat._block", "ltau.neighbors", True),
        ("__future__.annotations", "ltau", False),
    ],
)
def test_a_private_room_is_open_to_the_package_it_lies_in(imported, package, shut):
    assert is_shut(imported, package) == shut


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (
            "class A:\n def f(self, other: 'A'):\n  return other._x + self._y\n def _x(self): ...",
            [],
        ),
        ("def f(a):\n return a._x", ["a._x"]),
        ("def f(a):\n return a.b._x()", ["a.b._x"]),
        ("class A:\n _x: int\ndef f(a: Other):\n return a._x", ["a._x"]),
        ("class A:\n def f(self):\n  self._x = 1\ndef f(a: A):\n return a._x", []),
        ("def f(row):\n return row._asdict()", []),
        ("class A(B):\n def f(self):\n  return super()._f()", []),
        ("x = a.__dict__", []),
    ],
)
def test_what_is_read_of_another_object_is_found(code, found):
    assert list(private_reads(ast.parse(code))) == found


def test_documents_show_nothing_private():
    files = [
        path for suffix in ("rst", "md", "yaml", "yml") for path in ROOT.glob(f"*/**/*.{suffix}")
    ]
    shown = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (ROOT / "README.md", *files)
        if path.relative_to(ROOT).parts[0]
        in ("README.md", "docs", "examples", "benchmarks", "ltau")
        for match in re.finditer(r"\bltau(?:\.\w+)*\._\w+", path.read_text("utf-8"))
    }
    assert not shown


@cache
def graph():
    """The modules that each module of ltau imports, by its path and their names."""
    modules = {name_of(path) for path in sources()}
    return {
        path: {
            imported if imported in modules else imported.rpartition(".")[0]
            for imported in imports(tree)
            if imported.partition(".")[0] == "ltau"
        }
        for path, tree in sources().items()
        if path.parts[0] == "ltau"
    }


def room_of(module):
    """The file or folder of ltau in which a module lies; ``__init__`` for ltau itself."""
    return f"{module}.__init__".split(".")[1]


def test_every_room_has_its_layer():
    rooms = {room_of(name_of(path)) for path in graph()}
    assert rooms == set().union(*LAYERS)


def test_no_import_runs_back_up():
    height = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
    back_up = {
        f"{path.as_posix()}: {module}"
        for path, imported in graph().items()
        for module in imported
        if (room := room_of(name_of(path))) != room_of(module)
        and height[room] <= height[room_of(module)]
    }
    assert not back_up


def test_modules_do_not_import_each_other_in_circles():
    known = {name_of(path): imported for path, imported in graph().items()}
    graphlib.TopologicalSorter(known).prepare()  # raises CycleError, with the circle


def test_no_file_is_too_long():
    too_long = {
        path.as_posix()
        for path in sources()
        if len((ROOT / path).read_text("utf-8").splitlines()) > MOST_LINES
    }
    assert not too_long
