"""What ltau uses of faiss beyond its documented classes, looked for before it is used."""

from __future__ import annotations

import faiss

__all__ = ["check_faiss"]

# Names that faiss makes for itself, and may rename: without a word in its changelog.
NAMES = (
    "ArrayInvertedLists.code_size",
    "ArrayInvertedLists.codes",
    "IDSelectorAll",
    "MaybeOwnedVectorUInt8.c_ptr",
    "MaybeOwnedVectorUInt8.c_size",
    "MaybeOwnedVectorUInt8.data",
    "MaybeOwnedVectorUInt8.is_owned",
    "MaybeOwnedVectorUInt8.size",
    "MaybeOwnedVectorUInt8.view_data",
    "MaybeOwnedVectorUInt8.view_size",
    "cvar.distance_compute_blas_threshold",
    "downcast_index",
    "float_maxheap_array_t.addn",
    "knn_L2sqr",
    "omp_get_max_threads",
    "omp_set_num_threads",
    "pairwise_L2sqr",
    "rev_swig_ptr",
    "swig_ptr",
)


def check_faiss() -> None:
    """Raise ImportError where a name is missing, and say which."""
    missing = [name for name in NAMES if not _has(name)]
    if missing:
        raise ImportError(
            "Expected faiss-cpu as its versions from 1.11 to 1.15 are, got version "
            f"{faiss.__version__}, which has no {', '.join(missing)}."
        )


def _has(name: str) -> bool:
    holder, _, attribute = name.partition(".")
    found = getattr(faiss, holder, None)
    return found is not None and (not attribute or hasattr(found, attribute))
