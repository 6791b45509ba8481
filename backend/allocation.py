"""The memory of the process: blocks that were given back go back to the system.

A hash of a password takes 19 MiB. glibc keeps freed blocks in an arena of each thread. So a process
with many threads grows to many times what it uses.
"""

import ctypes
import os

# From glibc's malloc.h; mallopt(3) says what they mean.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2

_OWN_MAPPING = 1 << 20
"""Bytes from which on a block is mapped for itself, and unmapped when it is given back.

Once it is set, glibc doesn't raise it any more by what it has seen.
"""


def bound_memory() -> None:
    """Have glibc use few arenas, and give large blocks back; elsewhere do nothing.

    Called before the threads begin, for an arena that is there stays. An operator's
    MALLOC_ARENA_MAX is left alone.
    """
    if not _is_glibc():
        return
    libc = ctypes.CDLL(None)
    if "MALLOC_ARENA_MAX" not in os.environ:
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
    libc.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)


def _is_glibc() -> bool:
    """Return whether the process runs on glibc, whose mallopt this is: musl has none."""
    if "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}):
        return False
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") is not None
    except OSError:  # the name is known, and the library does not answer to it
        return False
