"""Every public name is on the page of the reference, and its docstring says how it is used."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import ltau

API = Path(__file__).resolve().parents[1] / "docs" / "api.rst"

# For developers: held to less, with the backends for an example.
FOR_DEVELOPERS = "ltau.neighbors"


def can_be_imported(name):
    """Whether what a module adapts is installed: no environment has MACE and NequIP."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.startswith("ltau"):
            raise
        return False
    return True


def modules():
    found = [module.name for module in pkgutil.walk_packages(ltau.__path__, "ltau.")]
    names = {"ltau", *(name for name in found if "._" not in name)}
    return {name for name in names if can_be_imported(name)}


def public_names():
    """Pairs of a public module and a name in it: where there are several, the shortest."""
    homes = {}
    for module in sorted(modules(), key=lambda name: (name.count("."), name)):
        for name in getattr(importlib.import_module(module), "__all__", ()):
            thing = getattr(importlib.import_module(module), name)
            homes.setdefault((name, id(thing)), (module, name))
    return list(homes.values())


def listed_names():
    """The same pairs from the reference: entries of its summaries, and what it describes itself."""
    names, module = [], None
    known = modules()
    for line in API.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif module is not None and module not in known:
            continue
        elif match := re.fullmatch(r"(?: {3}|\.\. py:data:: )(\w+)", line):
            names.append((module, match[1]))
    return names


def public_objects(*predicates):
    """What users call, as cases of a test: functions, classes, or both."""
    objects = [(m, n, getattr(importlib.import_module(m), n)) for m, n in public_names()]
    return [
        pytest.param(thing, id=f"{module}.{name}")
        for module, name, thing in objects
        if module != FOR_DEVELOPERS and any(predicate(thing) for predicate in predicates)
    ]


def lacking(thing):
    """Sections that the docstring of something callable should have and does not."""
    signature = inspect.signature(thing)
    expected = ["Parameters"] if set(signature.parameters) - {"self", "cls"} else []
    if not inspect.isclass(thing) and signature.return_annotation != "None":
        expected.append("Returns")
    doc = inspect.getdoc(thing) or ""
    return [name for name in expected if f"\n{name}\n{'-' * len(name)}\n" not in doc]


def own_methods(cls):
    """Public methods that come from this library, and are not hooks of another's."""
    others = [base for base in cls.__mro__ if not base.__module__.startswith("ltau.")]
    for name, method in inspect.getmembers(cls, inspect.isroutine):
        module = getattr(method, "__module__", None) or ""
        is_hook = any(hasattr(base, name) for base in others)
        if not name.startswith("_") and module.startswith("ltau.") and not is_hook:
            yield name, method


def test_the_reference_lists_every_public_name_once_and_nothing_else():
    assert sorted(listed_names()) == sorted(public_names())


@pytest.mark.parametrize("thing", public_objects(inspect.isclass, inspect.isfunction))
def test_what_is_public_has_an_example(thing):
    doc = inspect.getdoc(thing) or ""
    assert "\nExamples\n--------\n>>> " in doc


@pytest.mark.parametrize("function", public_objects(inspect.isfunction))
def test_a_public_function_documents_what_it_takes_and_returns(function):
    assert not lacking(function)


@pytest.mark.parametrize("cls", public_objects(inspect.isclass))
def test_a_public_class_documents_what_it_and_its_methods_take_and_return(cls):
    if getattr(cls, "_is_protocol", False):
        pytest.skip("a protocol is described, not called")
    if not issubclass(cls, Exception):
        assert not lacking(cls)
    assert not {name: lacking(method) for name, method in own_methods(cls) if lacking(method)}
