"""A process that the kernel refuses system calls, by a filter of seccomp, as a file system may.

The real call is not made: with the error 0 it seems to succeed, and does nothing.
"""

import ctypes
import os
import struct

_NUMBERS = {"flock": (73,), "link": (86, 265), "fsync": (74,), "rename": (82, 264, 316)}

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(name, error):
    """Let a system call fail with an errno from now on, for good."""
    code = struct.pack("<HBBI", _LOAD, 0, 0, 0)
    for number in _NUMBERS[name]:
        code += struct.pack("<HBBI", _EQUAL, 0, 1, number)
        code += struct.pack("<HBBI", _RETURN, 0, 0, _ERRNO | error)
    code += struct.pack("<HBBI", _RETURN, 0, 0, _ALLOW)
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SECCOMP, _FILTER, ctypes.byref(program))):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
