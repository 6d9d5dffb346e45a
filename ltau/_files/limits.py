"""How much a file may hold of what takes far more memory than bytes: its parts and its header.

Numbers in arrays take the memory that they take in the file. A part of a few hundred bytes becomes
Python objects of two thousand, and JSON such as ``[[],[],`` twenty times its size. What is left to
them is 64 MiB, or a share of a large file.
"""

from __future__ import annotations

__all__ = ["check_header", "most_parts"]

_PARTS, _BYTES_PER_PART = 1 << 15, 2048
_HEADER_BYTES, _HEADER_SHARE = 4 << 20, 8  # those of safetensors may have 100 MB
_HEADER_VALUES, _BYTES_PER_VALUE = 1 << 18, 64
_SEPARATORS = b",:[{"


def most_parts(file_size: int) -> int:
    """Give how many parts a file of some bytes may have."""
    return _PARTS + file_size // _BYTES_PER_PART


def check_header(text: bytes, file_size: int) -> None:
    """Refuse a header with more bytes or values than a file of `file_size` bytes may have."""
    most = max(_HEADER_BYTES, file_size // _HEADER_SHARE)
    if len(text) > most:
        raise ValueError(f"Expected a header of at most {most:,} bytes, got {len(text):,}.")
    most = max(_HEADER_VALUES, file_size // _BYTES_PER_VALUE)
    n_values = sum(text.count(separator) for separator in _SEPARATORS)
    if n_values > most:
        raise ValueError(f"Expected a header of at most {most:,} values, got {n_values:,}.")
