"""What results depend on beside the data."""

import importlib
import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from ltau.comparison import Learner
from ltau.comparison._code import fingerprint, versions

METHOD = """
from ltau.comparison import Learner

class Mine(Learner):
    def fit(self, rows):
        return self

    def predict(self, X):
        return {}
"""
MODEL = """
from sklearn.linear_model import Ridge

class Own(Ridge):
    extra = {}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Write a module, and import it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(name, code):
        (tmp_path / f"{name}.py").write_text(code, "utf-8")
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_it_changes_with_the_code_of_the_method_and_of_the_model_inside(load):
    def found(method, model):
        mine = load("mine_of_a_test", METHOD.format(method)).Mine
        own = load("own_of_a_test", MODEL.format(model)).Own
        return fingerprint(mine, make_pipeline(own()))

    first = found(1, 1)
    assert found(1, 1) == first
    assert found(2, 1) != first
    assert found(1, 2) != first


def test_models_of_scikit_learn_are_known_by_its_version():
    class Mine(Learner):
        pass

    of_models = [fingerprint(Mine, model) for model in (LinearRegression(), Ridge())]
    assert of_models[0] == of_models[1]  # the cache knows their classes and parameters beside it
    assert of_models[0]["numpy"] == versions()["numpy"] == np.__version__


def test_code_that_is_nowhere_has_no_fingerprint():
    namespace = {"Learner": Learner, "__name__": "nowhere"}
    exec("class Typed(Learner): pass", namespace)  # noqa: S102
    assert fingerprint(namespace["Typed"], Ridge()) is None
