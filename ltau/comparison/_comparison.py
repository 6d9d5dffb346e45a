"""The result of a comparison, as users see it."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltau._files.whole import write_text_whole, write_whole
from ltau.comparison._report.data import as_dict
from ltau.comparison._report.figures import overview
from ltau.comparison._report.findings import findings
from ltau.comparison._report.page import page, png, table_of_scores
from ltau.comparison._report.text import text
from ltau.comparison._results import Results
from ltau.comparison._scores import SCORES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Comparison"]


class Comparison(Results):
    """What `ltau.compare` found. Printed, it is a table and a few sentences about it.

    Parameters
    ----------
    cells : dict of str to list
        What each method said on each fold.
    folds : list
        The rows of each fold.
    about
        What was compared, and on what.

    Attributes
    ----------
    methods : tuple of str
        Names of the methods that finished.
    lost : dict of str to str
        Methods that failed, and why.
    skipped : dict of str to str
        Methods that need what is not installed, and what to install.

    See Also
    --------
    ltau.compare : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> import ltau
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(200, 2))
    >>> y = X[:, 0] + np.exp(X[:, 1]) * rng.normal(size=200)
    >>> comparison = ltau.compare(["Constant"], X, y, cv=2)
    >>> comparison
    <Comparison of 1 method on 200 rows in 2 folds>
    >>> comparison.score("Constant", "coverage_90").level
    0.95
    """

    def __repr__(self) -> str:
        n = len(self.methods)
        methods = f"{n} method{'s' if n != 1 else ''}"
        return f"<Comparison of {methods} on {len(self.rows):,} rows in {self.n_folds} folds>"

    def __str__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return table_of_scores(self) + "".join(
            f"<p>{escape(f'{kind}: {name}: {why}')}</p>"
            for kind, methods in (("Lost", self.lost), ("Skipped", self.skipped))
            for name, why in methods.items()
        )

    def findings(self) -> dict[str, str]:
        """Say what predicts best, ranks best and covers, what it costs, and where it fails.

        Returns
        -------
        dict of str to str
            A question, and what was found.
        """
        return findings(self)

    def to_dict(self) -> dict[str, Any]:
        """Give everything that was measured, ready for JSON.

        Returns
        -------
        dict
            Scores with intervals, costs, slices and folds; None where a score is not defined.
        """
        return as_dict(self)

    def to_frame(self) -> pd.DataFrame:
        """Give the scores as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row per method and score, with the columns ``method``, ``score``, ``value``,
            ``low`` and ``high``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        scores = ((m, name, self.score(m, name)) for m in self.methods for name in SCORES)
        rows = [(m, name, float(score), score.low, score.high) for m, name, score in scores]
        return pd.DataFrame(rows, columns=["method", "score", "value", "low", "high"])

    def plot(self) -> Figure:
        """Draw coverage, CRPS, rank correlation and cost, one row per method.

        Returns
        -------
        matplotlib Figure
            The figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return overview(self)

    def write(self, folder: str | Path) -> Path:
        """Write ``comparison.json``, ``comparison.png`` and ``report.html``.

        Parameters
        ----------
        folder : str or Path
            Where to write; made if it is not there.

        Returns
        -------
        Path
            The report: one page that needs no other file.

        Raises
        ------
        OSError
            If a file cannot be written.
        ImportError
            If matplotlib is not installed.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        picture, html = png(self.plot()), page(self)
        data = json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False)
        write_text_whole(folder / "comparison.json", lambda file: file.write(data))
        write_whole(folder / "comparison.png", lambda file: file.write(picture))
        report = folder / "report.html"
        write_text_whole(report, lambda file: file.write(html))
        return report
