"""One page of HTML with structures, a map of their atoms, and the run over its steps."""

from __future__ import annotations

import os
from collections.abc import Iterable
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ltau._files.whole import check_writable, write_text_whole
from ltau._inputs.numbers import check_positive
from ltau._pages import definitions, document, section
from ltau.plotting._structures.columns import COLUMNS, as_frames, columns_of, with_truth
from ltau.plotting._structures.contents import Contents
from ltau.plotting._structures.timeline import timeline_of_frames, timeline_of_table

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["write_report"]

_SCRIPTS = ("axes.js", "map.js", "structure.js", "timeline.js", "main.js")
_N_LISTED = 10

_VIEWS = """
<noscript><p>The views below need JavaScript, which is switched off.</p></noscript>
<div class='views'>
<div><div class='bar'><label>Horizontal <select id='x'></select></label></div>
<canvas id='map' role='img' aria-label='Expected errors against another number'></canvas>
</div>
<div><div class='bar'><label>Colour <select id='color'></select></label>
<span id='low'></span><span class='scale'></span><span id='high'></span></div>
<canvas id='structure' role='img' aria-label='Structure whose atoms are coloured'></canvas></div>
</div>
<div class='bar'><button id='before'>Frame before</button><button id='after'>Frame after</button>
</div>
<p id='said' aria-live='polite'></p>
"""
_TIMELINE = "<canvas id='timeline' role='img' aria-label='The run over its steps'></canvas>"


def write_report(
    path: str | os.PathLike[str],
    frames: Iterable[Atoms],
    *,
    truth: Iterable[Atoms] | None = None,
    table: str | os.PathLike[str] | None = None,
    title: str = "Expected errors of forces",
    n_atoms: int = 20_000,
) -> str:
    """Write one page of HTML that shows where a model of forces may be wrong.

    It has a map of the atoms, the expected error of each against its `ood_score` or its true
    error; the structure of the atom that is clicked, coloured; and the run over its steps. It
    needs no other file, no network and no WebGL.

    Parameters
    ----------
    path : str or path-like
        Where to write the page.
    frames : iterable of ase.Atoms
        Structures, or one, whose ``arrays`` or ``info`` hold ``"forces_uncertainty"`` (eV/Å) and
        ``"ood_score"`` for each atom, as the calculators of this library leave them, or
        ``"d_ltau_unc"`` and ``"d_ltau_ood"``, as dumps of LAMMPS do. Shown too, where there
        are any: ``"forces_uncertainty_upper"``, ``"forces_error_probability"`` and
        ``"forces_error"``, the true error (eV/Å). Atoms whose numbers are NaN, or missing in
        a frame, are grey, and not on the map.
    truth : iterable of ase.Atoms, optional
        The same structures in the same order, with true forces: true errors are lengths of
        the differences to the forces of `frames`.
    table : str or path-like, optional
        The table that a monitor of this library has written, such as ``run.csv``; by default
        the numbers over the steps are those of the frames.
    title : str, optional
        The title of the page.
    n_atoms : int, default=20_000
        About how many atoms are drawn. Of more, the most uncertain frames take one half, and
        frames at even distances the other.

    Returns
    -------
    str
        What is drawn, in a sentence, which the page says too.

    Raises
    ------
    OSError
        If the page cannot be written: before structures are read, where that can be told.
    TypeError
        If `frames` are not structures.
    ValueError
        If there are no structures; no frame has a column that is needed; a number is
        negative; or `truth` or `table` do not fit.

    See Also
    --------
    show_structures : The same in a notebook, by chemiscope.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from ase.build import molecule
    >>> from ltau.plotting import write_report
    >>> atoms = molecule("H2O")
    >>> atoms.arrays["forces_uncertainty"] = [0.3, 0.1, 0.1]
    >>> atoms.arrays["ood_score"] = [1.9, 1.0, 1.1]
    >>> with TemporaryDirectory() as folder:
    ...     write_report(Path(folder) / "report.html", [atoms])
    'Drawn: 3 atoms of 1 frame, all.'
    """
    path = Path(path)
    check_writable(path)
    check_positive(n_atoms, "n_atoms")
    structures = as_frames(frames)
    columns = columns_of(structures)
    if truth is not None:
        columns["forces_error"] = with_truth(structures, truth)
    contents = Contents.of(structures, columns, n_atoms)
    timeline = (
        timeline_of_frames(columns, contents.steps)
        if table is None
        else timeline_of_table(Path(table))
    )
    text = _page(title, contents, timeline, None if table is None else Path(table).name)
    write_text_whole(path, lambda file: file.write(text))
    return _drawn(contents)


def _page(title: str, contents: Contents, timeline: dict[str, Any], table: str | None) -> str:
    over = f"Over the {timeline['label'].lower()}s{'' if table is None else f', from {table}'}"
    sections = [
        definitions("At a glance", _numbers(contents)),
        section("Atoms and structures", _VIEWS),
        section(over, _TIMELINE),
        section("The most uncertain atoms, one of each frame", _listed(contents)),
        definitions("How to read it", _explained(contents, timeline["label"] == "Step")),
    ]
    scripts = (
        f"<script type='application/json' id='data'>{contents.as_json(timeline)}</script>\n"
        f"<script>\n{''.join(map(_viewer, _SCRIPTS))}</script>\n"
    )
    return document(title, _drawn(contents), sections, style=_viewer("viewer.css"), scripts=scripts)


def _viewer(name: str) -> str:
    return files("ltau.plotting._structures").joinpath("viewer", name).read_text("utf-8")


def _drawn(contents: Contents) -> str:
    """Say what is drawn, of how much."""
    n_frames, drawn = len(contents.frames), contents.drawn
    if len(drawn) == n_frames:
        return f"Drawn: {_count(contents.n_atoms, 'atom')} of {_count(n_frames, 'frame')}, all."
    n_atoms = sum(len(contents.frames[number]) for number in drawn)
    even = len(drawn) - contents.n_uncertain
    return (
        f"Drawn: {n_atoms:,} of {contents.n_atoms:,} atoms, {len(drawn):,} of "
        f"{n_frames:,} frames: the {_count(contents.n_uncertain, 'frame')} of the largest expected "
        f"errors and {_count(even, 'frame')} at even distances."
    )


def _numbers(contents: Contents) -> dict[str, str]:
    """Sum up all atoms, drawn or not."""
    said = {
        COLUMNS[name].label: _spread(contents.known(name), COLUMNS[name].unit)
        for name in contents.columns
    }
    n_unknown = contents.n_atoms - len(contents.known("forces_uncertainty"))
    if n_unknown:
        said["Unknown"] = (
            f"{n_unknown:,} of {contents.n_atoms:,} atoms: NaN, as of atoms without neighbours, or "
            "of frames without the columns. They are grey, and not on the map."
        )
    return said


def _spread(values: ArrayLike, unit: str) -> str:
    values = np.asarray(values)
    if not values.size:
        return "unknown for all atoms"
    unit = f" {unit}" if unit else ""
    median, high, largest = np.quantile(values, [0.5, 0.95, 1], method="lower")
    said = f"median {median:.3g}{unit}, 95 % below {high:.3g}{unit}, largest {largest:.3g}{unit}"
    return said.replace("inf", "∞")


def _listed(contents: Contents) -> str:
    """Lay out a table whose rows select atoms."""
    names = list(contents.columns)
    labels = [f"{COLUMNS[name].label} ({COLUMNS[name].unit})".removesuffix(" ()") for name in names]
    head = "".join(f"<th>{escape(label)}</th>" for label in ["Atom", *labels])
    rows = []
    for row, atom in contents.most_uncertain(_N_LISTED):
        number = contents.drawn[row]
        symbol = contents.frames[number].symbols[atom]
        name = escape(f"{contents.name(number)}: {symbol} {atom}")
        cells = [f"<td><button data-frame='{row}' data-atom='{atom}'>{name}</button></td>"]
        cells += [f"<td>{contents.columns[name][number][atom]:.3g}</td>" for name in names]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    return (
        f"<div class='wide'><table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _explained(contents: Contents, by_step: bool) -> dict[str, str]:
    said = {
        "Expected error": "Of the force on an atom, the length of its difference to the true one.",
        "ood_score": "Distance to the training atoms: about 1 where they are dense. Far above it, "
        "the size of an expected error is a guess.",
        "Map": "Each dot is an atom; both axes are logarithmic. The atoms of the structure that is "
        "shown are orange, and the selected one has a ring.",
        "Structure": "Drag to turn it, turn the wheel to come nearer, click an atom to select it. "
        "Atoms as near as bonded ones are joined by lines. The colours end at the 99 % quantile.",
        "Frames": "Numbers of frames begin at 0, and those of atoms.",
    }
    if "forces_error" in contents.columns:
        said["True error"] = "Known here. Dots on the dashed line have the error that was expected."
    if contents.steps is None and by_step:
        said["Steps"] = "The structures do not tell theirs, and are not marked over the steps."
    return {**said, "Version": f"ltau {version('ltau')}"}


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
