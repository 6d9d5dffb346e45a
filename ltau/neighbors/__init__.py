"""Nearest training samples: one search backend a file, one way in (`make_index`)."""

from ltau.neighbors._base import Latents, NeighborIndex, Neighbors, Vectors
from ltau.neighbors._equally_near import TooManyEquallyNear, search_equally_near
from ltau.neighbors._exploded import refuse_exploded
from ltau.neighbors._factory import INDEX_CLASSES, make_index
from ltau.neighbors._faiss import check_faiss
from ltau.neighbors._flat import FlatIndex
from ltau.neighbors._latents import Found, LatentIndex, Stratum
from ltau.neighbors._merging import merge_coincident
from ltau.neighbors._other_groups import (
    MIXED as MIXED,
)
from ltau.neighbors._other_groups import (
    common_groups as common_groups,
)
from ltau.neighbors._other_groups import (
    nearest_of_other_groups as nearest_of_other_groups,
)
from ltau.neighbors._other_groups import (
    others_of_other_groups as others_of_other_groups,
)
from ltau.neighbors._scaling import LatentScaler, extremes, scatter, unit_of
from ltau.neighbors._strata import (
    ScaledStratum,
    log_lengths,
    rounding_floor,
    scale_strata,
    usual_length,
)
from ltau.neighbors._threads import n_threads

__all__ = [
    "INDEX_CLASSES",
    "FlatIndex",
    "Found",
    "LatentIndex",
    "LatentScaler",
    "Latents",
    "NeighborIndex",
    "Neighbors",
    "ScaledStratum",
    "Stratum",
    "TooManyEquallyNear",
    "Vectors",
    "extremes",
    "log_lengths",
    "make_index",
    "merge_coincident",
    "n_threads",
    "refuse_exploded",
    "rounding_floor",
    "scale_strata",
    "scatter",
    "search_equally_near",
    "unit_of",
    "usual_length",
]

check_faiss()
