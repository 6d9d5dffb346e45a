"""Configuration of the documentation: ``make docs`` builds it, without a network."""

import os
import sys
from pathlib import Path

import ltau

os.environ.setdefault("OMP_NUM_THREADS", "1")  # what the pages run is small

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "ltau"
author = "The ltau developers"
copyright = "2026, the ltau developers"  # noqa: A001
version = release = ltau.__version__

extensions = [
    "downloads",
    "gallery",
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "references",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "typography",
]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "gallery"]  # the gallery's pages are made in examples/
templates_path = ["_templates"]
default_role = "py:obj"
toc_object_entries_show_parents = "hide"

# Every class page lists the methods that the library itself defines.
autodoc_default_options = {
    "members": True,
    "inherited-members": (
        "ABC, BaseCalculator, BaseEstimator, BaseException, Calculator, Callback, Dataset, "
        "Dummy_driver, GetPropertiesMixin, Mapping, Module, NequIPCalculator, Protocol, "
        "ValueError, _IntegrationLoaderMixin, float, object, tuple"
    ),
}
# Of these no environment has mace beside NequIP; the others take long to install.
autodoc_mock_imports = [
    "chgnet",
    "mace",
    "matgl",
    "metatensor",
    "metatomic",
    "metatomic_ase",
    "sevenn",
]
autodoc_typehints = "none"  # numpydoc sections name the types
numpydoc_show_class_members = False  # autodoc lists them

# The pages draw their own pictures: a page whose code fails does not build.
plot_include_source = True
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 110)]
plot_rcparams = {"figure.figsize": (5.0, 4.0)}

# The gallery is executed, one script after the other; an unchanged one is not run twice.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "backreferences_dir": "examples/backreferences",
    "doc_module": ("ltau",),
    "reference_url": {"ltau": None},
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "ignore_repr_types": r"sklearn|ltau",  # diagrams too wide for a phone
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e6,  # seconds: pages do not say how long they took here
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"ltau {version}"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["ltau.css"]
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "logo": {"text": "ltau", "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "header_links_before_dropdown": 4,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Groups list their pages themselves, and tables take all the width that there is.
groups = ("index", "start", "guides", "results", "reference")
tables = ("ood_tables", "regression_tables", "is2rs_tables")
tables_as_csv = (*tables, "speed")
html_sidebars = {page: [] for page in (*groups, *tables)}

# The prompt of a shell, and what a command prints, are not copied.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
copybutton_exclude = ".linenos, .gp, .go"

# Every reference to a name of ltau must lead somewhere. Names of other libraries are left as
# they are: their inventories come from the network, and this build needs none.
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"X|[a-z_][a-z0-9_]*"),  # a parameter, or an attribute, of what is described
    ("py:obj", r"(ase|lightgbm|matplotlib|numpy|torch|xgboost)\..*"),
]


def skip_member(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator, and fields, which are parameters too."""
    routing = name == "get_metadata_routing" or (name.startswith("set_") and "_request" in name)
    inherited = name == "score" and getattr(obj, "__module__", "").startswith("sklearn.")
    field = str(obj.__doc__).startswith("Alias for field number")
    return True if routing or inherited or field else None


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
