"""Every command: one heap for all threads, and large blocks given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import ctypes, sys, threading
from agent.cli import main
_, mode, out = sys.argv
if mode == "as a command":
    sys.argv[1:] = ["version"]
    try:
        main()
    except SystemExit as end:
        assert not end.code
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]

def mapped():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * 4096

for _ in range(3):  # each block that is freed would raise the limit from which one is a mapping of its own
    libc.free(libc.malloc(8 << 20))
    libc.free(libc.malloc(16 << 20))
before = mapped()
block = libc.malloc(4 << 20)
behind = libc.malloc(100)  # keeps the top of the heap where it is
libc.free(block)
kept = mapped() - before

all_there = threading.Barrier(4)
def work():
    libc.malloc(1000)
    all_there.wait()
    libc.malloc(1000)
threads = [threading.Thread(target=work) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
file = libc.fopen(out.encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
print(kept, open(out).read().count("<heap nr="))
"""


def _kept_and_heaps(mode: str, file: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, mode, file], capture_output=True, text=True, check=True, timeout=60
    )
    kept, heaps = done.stdout.splitlines()[-1].split()
    return int(kept), int(heaps)


def test_one_heap_and_large_blocks_go_back(tmp_path: Path) -> None:
    assert _kept_and_heaps("as it is", str(tmp_path / "a"))[1] > 1  # else there is nothing to test here
    kept, heaps = _kept_and_heaps("as a command", str(tmp_path / "b"))
    assert (kept, heaps) == (0, 1)
