"""What the documentation adds to Sphinx: formulas, numbers that do not break, figures of pages."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the documentation needs the extra docs")

EXTENSIONS = Path(__file__).resolve().parents[1] / "docs" / "_extensions"


def extension(name):
    return runpy.run_path(str(EXTENSIONS / f"{name}.py"))


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"\bar d_j", "<msub><mover accent='true'><mi>d</mi><mo>ˉ</mo></mover><mi>j</mi></msub>"),
        (r"\tfrac12 x", "<mfrac><mn>1</mn><mn>2</mn></mfrac><mi>x</mi>"),
        (r"\cos x", "<mi>cos</mi><mo>\N{FUNCTION APPLICATION}</mo><mi>x</mi>"),
    ],
)
def test_formulas_are_what_they_are_in_print(tex, expected):
    from xml.etree import ElementTree

    def bare(text):
        """Its elements and their text, without what says how large and how wide they are."""
        root = ElementTree.fromstring(text)  # noqa: S314
        return [(part.tag.split("}")[-1], (part.text or "").strip()) for part in root.iter()]

    assert bare(extension("mathml")["convert"](tex)) == bare(f"<math>{expected}</math>")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0.50 ± 0.02", "0.50_±_0.02"),
        ("91 % of 300 K", "91_% of 300_K"),
        ("0.076 eV/Å", "0.076_eV/Å"),
        ("1.20 [1.18, 1.23] times", "1.20 [1.18,_1.23] times"),
        ("in 1990 Knuth, 3 samples", "in 1990 Knuth, 3 samples"),
    ],
)
def test_numbers_stay_with_their_units(text, kept):
    typography = extension("typography")
    assert typography["BREAKS"].sub("_", text) == kept


def test_a_page_draws_its_own_figures(tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    pages = extension("pages")
    (tmp_path / "page.rst").write_text(
        "Page\n====\n\n"
        ".. code-block:: python\n\n   import matplotlib.pyplot as plt\n   x = [1, 2]\n\n"
        ".. code-block:: python\n\n   figure, ax = plt.subplots()\n   ax.set_title('first')\n\n"
        ".. code-block:: python\n\n   x.append(3)\n   figure, ax = plt.subplots()\n"
        "   ax.set_title(f'{len(x)} values')\n"
    )
    monkeypatch.setitem(pages["draw"].__globals__, "DOCS", tmp_path)
    titles = [pages["draw"]("page.rst", number).axes[0].get_title() for number in (1, 2)]
    plt.close("all")
    assert titles == ["first", "3 values"]
