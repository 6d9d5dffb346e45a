"""Pickles read without trust: nothing that they ask for is imported or run, and they end.

What it takes to read a pickle is found before it is read: a few hundred bytes can make a tuple of
tuples that takes years to hash, a memo of gigabytes, or lists sixty times as large as their bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, cast

from benchmarks.is2rs.sources.systems import DataError

__all__ = ["load"]

_MOST_VALUES = 10**5  # in a tuple, with all that it holds, as often as it holds it
_MOST_BITS = 128  # of a number
_PUT = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GET = {"GET", "BINGET", "LONG_BINGET"}
_HASHED = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
_REFUSED = {"DUP", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"}
_MARK = 0  # on the stack, on which else are how many values each object holds


# What unpickling raises on damage.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


def load(
    data: bytes,
    admitted: Mapping[tuple[str, str], Any],
    most: int,
    start: int = 0,
    *,
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Read a pickle.

    Parameters
    ----------
    data : bytes
        What holds the pickle.
    admitted : mapping of (module, name) to object
        What it gets where it asks for a class or a function. All else is refused.
    most : int
        How many opcodes it may have; each makes an object of some hundred bytes at most, beside
        the bytes of strings.
    start : int, default=0
        Where it begins.
    persistent : callable, optional
        Makes objects of what stands for them, if that is admitted.

    Returns
    -------
    value : object
        What it holds.
    end : int
        Where it ends.

    Raises
    ------
    DataError
        If it is damaged, asks for something else, has more opcodes, or makes a tuple of more than
        100,000 values, or a number of more than 128 bits.
    """
    try:
        end = _end(data, start, most)
        return _Unpickler(data[start:end], admitted, persistent).load(), end
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(f"Expected a whole pickle, got {error!r:.200}.") from error


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        data: bytes,
        admitted: Mapping[tuple[str, str], Any],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._admitted, self._persistent = admitted, persistent

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._admitted[module, name]
        except KeyError:
            raise DataError(
                f"Expected no more than data, got a pickle that asks for {module}.{name}."
            ) from None

    def persistent_load(self, said: Any) -> Any:
        if self._persistent is None:
            raise DataError("Expected a whole pickle, got one that refers to something else.")
        return self._persistent(said)


def _end(data: bytes, start: int, most: int) -> int:
    """Find where a pickle ends, and refuse one that takes too much to read."""
    file = io.BytesIO(data)
    file.seek(start)
    stack: list[int] = []
    memo: dict[int, int] = {}
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if number >= most:
            raise DataError(f"Expected a pickle of at most {most:,} opcodes.")
        if opcode.name in _REFUSED:
            raise DataError(f"Expected a pickle of data, got one with the opcode {opcode.name}.")
        if opcode.name in _PUT:
            place = len(memo) if argument is None else argument
            if not 0 <= place <= number:  # Python makes room for all below
                raise DataError(f"Expected a memo of at most {number} objects, got place {place}.")
            memo[place] = stack[-1]
        elif opcode.name in _GET:
            stack.append(memo[cast(int, argument)])
        else:
            if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
                raise DataError(f"Expected numbers of at most {_MOST_BITS} bits.")
            _apply(opcode, stack)
    return file.tell()


def _apply(opcode: Any, stack: list[int]) -> None:
    """Do to the sizes on the stack what an opcode does to the objects."""
    before, held = opcode.stack_before, 1
    if pickletools.markobject in before:
        while (size := stack.pop()) != _MARK:
            held += size
        before = before[: before.index(pickletools.markobject)]
    held += sum([stack.pop() for _ in before])
    if opcode.name not in _HASHED:
        held = 1
    if held > _MOST_VALUES:
        raise DataError(f"Expected tuples of at most {_MOST_VALUES:,} values.")
    stack.extend(_MARK if out is pickletools.markobject else held for out in opcode.stack_after)
