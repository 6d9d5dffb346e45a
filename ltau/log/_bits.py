"""How an error is stored: as a float32, or as the 16 bits after its sign.

Errors have no sign. 16 bits are then the 8 of the exponent, and so the range of float32, and
8 of the mantissa: rounding changes an error by at most 2**-9 of it, where float32 is normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ON_DISK", "Bits", "pack", "unpack"]

Bits = Literal[16, 32]

# By bits; on any machine.
ON_DISK: Mapping[int, np.dtype[Any]] = MappingProxyType({32: np.dtype("<f4"), 16: np.dtype("<u2")})

_LEFT_OUT = 15  # the last bits of the mantissa
_LARGEST = 0xFEFF  # what is finite
_NAN = 0xFF80

Floats = NDArray[np.float32]


def pack(errors: Floats, bits: Bits) -> NDArray[Any]:
    """Give errors, finite or NaN, the type that they have on disk."""
    return np.ascontiguousarray(_rounded(errors) if bits == 16 else errors, ON_DISK[bits])


def unpack(stored: NDArray[Any]) -> Floats:
    """Give what was read from a disk as float32."""
    if stored.dtype == ON_DISK[32]:
        return stored
    return (stored.astype(np.uint32) << _LEFT_OUT).view(np.float32)


def _rounded(errors: Floats) -> NDArray[np.uint32]:
    """Round to the nearest that 16 bits hold, of two to the even one, and never to infinity."""
    whole = np.ascontiguousarray(errors, np.float32).view(np.uint32) & 0x7FFFFFFF  # -0.0 is 0.0
    is_odd = (whole >> _LEFT_OUT) & 1
    rounded = (whole + (1 << (_LEFT_OUT - 1)) - 1 + is_odd) >> _LEFT_OUT
    return np.where(np.isnan(errors), np.uint32(_NAN), np.minimum(rounded, _LARGEST))
