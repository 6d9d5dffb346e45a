"""Structures from any file that ASE reads; packed ones are unpacked first."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltau._files.packed import is_packed, unpack

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["iread"]


def iread(
    filename: str | os.PathLike[str],
    index: int | slice | str | None = None,
    format: str | None = None,  # noqa: A002
    do_not_split_by_at_sign: bool = False,
    **options: Any,
) -> Iterator[Atoms]:
    """Read structures one by one, as `ase.io.iread` does, from compressed files too.

    ASE goes back in a file for each structure, and would unpack one that is packed from its
    beginning each time. Here files whose names end in ``.xz``, ``.gz`` or ``.bz2`` are
    unpacked once: in memory, or in a temporary file if that is larger than 64 MiB.

    Parameters
    ----------
    filename : path-like
        The file; ``"run.xyz.xz@0:10"`` names its first ten structures.
    index : int, slice or str, optional
        Which structures, such as ``"::2"``; by default all.
    format : str, optional
        ASE's name of the format, by default guessed as ASE does.
    do_not_split_by_at_sign : bool, default=False
        Whether an ``"@"`` is a part of the name.
    **options
        Further arguments of `ase.io.iread`.

    Returns
    -------
    iterator of ase.Atoms
        The structures, in the order of the file.

    Raises
    ------
    LTAUFileError
        If a packed file is damaged or cut short.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import ase.io
    >>> from ase.build import molecule
    >>> from ltau.structures import iread
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "molecules.xyz.xz"
    ...     ase.io.write(path, [molecule("H2O"), molecule("CH4")])
    ...     [str(atoms.symbols) for atoms in iread(path)]
    ['OH2', 'CH4']
    """
    import ase.io
    from ase.io.formats import filetype, get_ioformat, parse_filename
    from ase.utils import string2index

    if isinstance(index, str):
        index = string2index(index)
    path, index = parse_filename(os.fspath(filename), index, do_not_split_by_at_sign)
    options["do_not_split_by_at_sign"] = True
    if not is_packed(Path(path)):
        yield from ase.io.iread(path, index, format, **options)
        return
    with unpack(Path(path)) as unpacked:
        kind = get_ioformat(format or filetype(path))
        if not kind.acceptsfd:
            raise ValueError(
                f"Expected a file that is not packed of format {kind.name!r}, got {path}."
            )
        file = unpacked if kind.isbinary else io.TextIOWrapper(unpacked)
        yield from ase.io.iread(file, index, kind.name, **options)
