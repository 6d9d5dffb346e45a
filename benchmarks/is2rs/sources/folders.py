"""Which files a folder holds, and which split their folders name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

__all__ = ["choose", "files", "frames_name"]

T = TypeVar("T")

# Names such as val_id, test_ood_ads, s2ef_train_200K and is2res_val_id_trajectories. The archive
# of all splits together, is2res_train_val_test_lmdbs, names none.
_SPLIT = re.compile(
    r"(?:(?:s2ef|is2res|is2re)_)?"
    r"(train|(?:val|test)_(?:id|ood_ads|ood_cat|ood_both)|test_challenge_2021)"
    r"(?:_(?:200[kK]|2M|20M|all|trajectories|uncompressed))*"
)
_FRAMES = re.compile(r"(.+)\.extxyz(?:\.xz)?")


def files(folder: Path, pattern: str, otherwise: str = "all") -> Iterator[tuple[Path, str]]:
    """Find files anywhere in a folder, with the split that each belongs to.

    The split is named by the innermost folder that names one. What OC20 has to test on is left
    out: its relaxed structures are not public.

    Parameters
    ----------
    folder : Path
        Where to look.
    pattern : str
        Of the names of the files, such as ``"*.lmdb"``.
    otherwise : str, default="all"
        Split of a file that no folder names one for.

    Yields
    ------
    tuple of (Path, str)
        The file and its split, in alphabetical order.
    """
    for path in sorted(folder.rglob(pattern)):
        names = (folder.resolve().name, *path.parent.relative_to(folder).parts)
        matches = (_SPLIT.fullmatch(name) for name in reversed(names))
        split = next((match[1] for match in matches if match), otherwise)
        if path.is_file() and not split.startswith("test_"):
            yield path, split


def frames_name(path: Path) -> str | None:
    """Give the name of a file of frames without ``.extxyz`` or ``.extxyz.xz``, or None."""
    match = _FRAMES.fullmatch(path.name)
    return match[1] if match else None


def choose(items: Sequence[T], limit: int | None) -> list[T]:
    """Choose some items at random, always the same ones, and leave them in their order.

    A lower limit chooses some of those that a higher one does.
    """
    if limit is None:
        return list(items)
    rows = np.random.default_rng(0).permutation(len(items))[:limit]
    return [items[row] for row in np.sort(rows)]
