"""Methods by their names, by their classes, and by where they lie."""

import sys

import pytest
from sklearn.linear_model import Ridge

from ltau.comparison import Learner
from ltau.comparison._finding import find_methods
from ltau.comparison._models import MODELS, make_model


class Mine(Learner):
    """A method of a user."""

    name = "My method"

    def fit(self, rows):
        return self

    def predict(self, X):
        return None


class Unfinished(Learner):
    """A method without `predict`."""

    def fit(self, rows):
        return self


def test_names_classes_and_paths_are_found_and_the_reference_is_added(monkeypatch):
    monkeypatch.setitem(sys.modules, "of_mine", sys.modules[__name__])
    found, skipped = find_methods(["Quantile regression", "of_mine:Mine"], Ridge())
    assert list(found) == ["Quantile regression", "My method", "Constant"]
    assert found["My method"] is Mine
    assert skipped == {}
    assert list(find_methods(Mine, Ridge())[0]) == ["My method", "Constant"]
    assert Unfinished.name == "Unfinished"


def test_all_methods_depend_on_the_model():
    of_trees = {*find_methods("all", Ridge())[0]}
    pytest.importorskip("torch")
    of_networks = {*find_methods("all", make_model("network"))[0]}
    assert "MC dropout" in of_networks - of_trees
    assert "Bootstrap ensemble" in of_trees - of_networks


def test_a_method_that_is_not_installed_is_skipped_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "crepes", None)
    monkeypatch.delitem(sys.modules, "ltau.comparison._methods.normalized_conformal", raising=False)
    found, skipped = find_methods("all", Ridge())
    assert skipped["Normalised conformal"] == "needs crepes: pip install 'ltau[compare]'"
    assert "LTAU" in found


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["Oracle"], "'LTAU', 'Bootstrap ensemble', .*or module:Class, got 'Oracle'"),
        (["nowhere:Method"], "'nowhere:Method': No module named 'nowhere'"),
        (["ltau:Nothing"], "a class 'Nothing' in the module ltau, got none"),
        (["ltau:LTAUEstimator"], "subclass of ltau.comparison.Learner"),
        ([Ridge()], "subclass of ltau.comparison.Learner, got Ridge"),
        ([Unfinished], "Unfinished to define predict"),
        ([Mine, Mine], "'My method' twice"),
        (["all", "LTAU"], "'LTAU' twice"),
    ],
)
def test_what_is_no_method_is_refused(methods, message):
    with pytest.raises(ValueError, match=message):
        find_methods(methods, Ridge())


def test_models_are_made_by_their_names():
    assert make_model("trees").loss == "squared_error"
    with pytest.raises(ValueError, match="trees, network, xgboost, lightgbm, got 'forest'"):
        make_model("forest")
    with pytest.raises(ValueError, match="Expected a regressor or one of trees"):
        make_model(3)


@pytest.mark.parametrize("name", ["network", "xgboost", "lightgbm"])
def test_a_model_that_is_not_installed_is_named_with_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, MODELS[name].module, None)
    with pytest.raises(ImportError, match=rf"pip install 'ltau\[{MODELS[name].extra}\]'"):
        make_model(name)
