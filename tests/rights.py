"""Take from root the right to read every file, so that a test sees what other users see."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

# From linux/capability.h.
_VERSION_3 = 0x20080522
_READS_EVERYTHING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def rights_of_the_files() -> Iterator[None]:
    """Let the modes of files decide in the block: for this thread, and those that it starts."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("only on Linux can root give up a right and take it back")
    before = _capabilities("capget", [0] * 6)
    _capabilities("capset", [before[0] & ~_READS_EVERYTHING, *before[1:]])
    try:
        yield
    finally:
        _capabilities("capset", before)


def _capabilities(call: str, data: list[int]) -> list[int]:
    """Call the kernel: twice the sets effective, permitted, inheritable, 32 bits of each."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(*data)
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(header, sets) != 0:
        raise OSError(ctypes.get_errno(), call)
    return list(sets)
