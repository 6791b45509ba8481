"""Large blocks go back to the system when they are given back, whichever thread had them."""

import os
import subprocess
import sys

import pytest

HASHING = """
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil

from backend.allocation import bound_memory
from backend.services.passwords import hash_password

bound_memory()
everyone = threading.Barrier(16)

def work(number):
    for _ in range(3):
        everyone.wait()
        hash_password("a password of tests")

with ThreadPoolExecutor(16) as pool:
    list(pool.map(work, range(16)))
    print(psutil.Process().memory_info().rss)
"""


@pytest.mark.slow
def test_threads_keep_no_memory_of_hashes() -> None:
    """Of glibc, each would keep the 19 MiB of its last one: 300 MB."""
    environment = {key: it for key, it in os.environ.items() if not key.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", HASHING],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert int(done.stdout) < 100 << 20
