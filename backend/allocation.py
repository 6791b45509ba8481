"""Memory of the process: return freed blocks to the system.

A password hash takes 19 MiB. glibc keeps freed blocks in an arena of each thread. So a process with
many threads grows to many times the memory that it uses.
"""

import ctypes
import os

# From glibc's malloc.h; mallopt(3) explains them.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2

_OWN_MAPPING = 1 << 20
"""Bytes from which a block gets a mapping of its own, which is unmapped when it is freed.

Once the value is set, glibc no longer raises it by itself.
"""


def bound_memory() -> None:
    """Make glibc use few arenas and return large blocks; on other systems do nothing.

    Call it before any thread starts, because existing arenas stay. If the operator has set
    MALLOC_ARENA_MAX, the arenas are left as they are.
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
    except OSError:  # the name is known, but the library gives no answer
        return False
