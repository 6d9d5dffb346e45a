"""Every public name is on the page of the reference, and its docstring says how it is used."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import ltau

for framework in ("torch", "lightning", "skorch", "distributed"):  # their adapters are public
    pytest.importorskip(framework)

API = Path(__file__).resolve().parents[1] / "docs" / "api.rst"

# Modules that are not public though their names have no underscore, and why.
NOT_PUBLIC = {
    "ltau.binning": "its names are public in ltau",
    "ltau.calibration": "its class is public in ltau",
    "ltau.cli": "public as the command ltau",
    "ltau.demo": "public as the command ltau demo",
    "ltau.demo.diamonds": "what ltau demo diamonds runs",
    "ltau.demo.nequip": "what ltau demo nequip runs",
    "ltau.clusters": "what prototypes are made of",
    "ltau.counted": "what an estimator is fitted on",
    "ltau.conformal": "what a calibration is made of",
    "ltau.densities": "what an estimator holds",
    "ltau.distribution": "its names are public in ltau",
    "ltau.domain": "its methods are public in LTAUEstimator",
    "ltau.error_range": "what ErrorBins are found from",
    "ltau.estimator": "its names are public in ltau",
    "ltau.histogram": "its names are public in ltau",
    "ltau.io": "the file format; its error is public in ltau",
    "ltau.neighbors.approximate": "what some backends share",
    "ltau.neighbors.base": "its names are public in ltau.neighbors",
    "ltau.neighbors.choice": "how make_index chooses",
    "ltau.neighbors.factory": "its function is public in ltau.neighbors",
    "ltau.neighbors.flat": "a backend: make_index makes it",
    "ltau.neighbors.held_out": "what indices are measured on",
    "ltau.neighbors.hnsw": "a backend: make_index makes it",
    "ltau.neighbors.ivf": "a backend: make_index makes it",
    "ltau.neighbors.latents": "its class is public in ltau.neighbors",
    "ltau.neighbors.partition": "what some backends hold",
    "ltau.neighbors.quantized": "backends: make_index makes them",
    "ltau.neighbors.scaling": "what LatentIndex holds",
    "ltau.neighbors.storage": "what a limit of memory allows",
    "ltau.neighbors.strata": "what LatentIndex is built of",
    "ltau.neighbors.threads": "what an estimator uses",
    "ltau.neighbors.views": "how faiss is shown arrays",
    "ltau.prediction": "its class is public in ltau, its methods in LTAUEstimator",
    "ltau.prototype_number": "how many prototypes LTAUEstimator makes",
    "ltau.prototypes": "what LTAUEstimator makes of its training samples",
    "ltau.samples": "what LTAUEstimator learns from",
    "ltau.saving": "its methods are public in LTAUEstimator",
    "ltau.trajectories": "how LTAUEstimator reads errors",
    "ltau.weighting": "its method is public in LTAUEstimator",
}

# For developers: held to less, with the backends for an example.
FOR_DEVELOPERS = "ltau.neighbors"


def modules():
    found = [module.name for module in pkgutil.walk_packages(ltau.__path__, "ltau.")]
    return {"ltau", *(name for name in found if "._" not in name)}


def public_names():
    """Pairs of a public module and a name in it."""
    public = sorted(modules() - NOT_PUBLIC.keys())
    return [(m, n) for m in public for n in getattr(importlib.import_module(m), "__all__", ())]


def listed_names():
    """The same pairs from the reference: entries of its summaries, and what it describes itself."""
    names, module = [], None
    for line in API.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
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


def test_modules_that_are_not_public_exist():
    assert NOT_PUBLIC.keys() <= modules()


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
