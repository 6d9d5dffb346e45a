"""Configuration of the documentation: ``make docs`` builds it, without a network."""

import ltau

project = "ltau"
author = "The ltau developers"
copyright = "2026, the ltau developers"  # noqa: A001
version = release = ltau.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"

# Every class page lists the methods that the library itself defines.
autodoc_default_options = {
    "members": True,
    "inherited-members": (
        "ABC, BaseCalculator, BaseEstimator, Calculator, Callback, Dataset, Dummy_driver, "
        "GetPropertiesMixin, Module, NequIPCalculator, Protocol, ValueError, "
        "_IntegrationLoaderMixin, float, object, tuple"
    ),
}
# Of these no environment has mace beside NequIP; the others take long to install.
autodoc_mock_imports = ["chgnet", "mace", "matgl", "sevenn"]
autodoc_typehints = "none"  # numpydoc sections name the types
numpydoc_show_class_members = False  # autodoc lists them

# The pages draw their own pictures: a page whose code fails does not build.
plot_include_source = True
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 110)]
plot_rcparams = {"figure.figsize": (5.0, 4.0)}

html_theme = "pydata_sphinx_theme"
html_title = f"ltau {version}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
pages = [
    "index",
    "calculators",
    "cluster",
    "engines",
    "compare",
    "forcefields",
    "is2rs",
    "is2rs_tables",
    "mace",
    "method",
    "ood",
    "ood_tables",
    "quickstart",
    "regression",
    "shell",
    "speed",
    "stages",
    "trainers",
]
html_sidebars = {page: [] for page in pages}


def skip_member(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator: metadata routing, and a score."""
    routing = name == "get_metadata_routing" or (name.startswith("set_") and "_request" in name)
    inherited = name == "score" and getattr(obj, "__module__", "").startswith("sklearn.")
    return True if routing or inherited else None


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
