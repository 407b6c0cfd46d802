"""Disks that lose their power, fill up, and are removed whoever made them; calls that fail on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.soak.disk import LoopDisk, Tmpfs, sweep
from agent.soak.inject import injected
from pipelines.errors import DependencyError


def write(path: Path, data: bytes, *, sync: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def test_a_power_cut_takes_what_was_not_synced_and_nothing_else() -> None:
    with LoopDisk(16) as disk:
        kept, lost = disk.folder / "kept", disk.folder / "lost"
        write(kept, b"synced", sync=True)
        write(kept, b"not synced", sync=False)
        write(lost, b"not synced", sync=False)
        disk.power_cut()
        with pytest.raises(OSError, match="Input/output error"):
            write(kept, b"too late", sync=True)
        disk.restore()
        assert kept.read_bytes() == b"synced"
        assert not lost.exists() or not lost.read_bytes()
        assert disk.written_bytes > 0


def test_the_power_comes_back_although_another_namespace_keeps_the_dead_one_mounted() -> None:
    with LoopDisk(16) as disk:
        elsewhere = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", "echo ready; read end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert elsewhere.stdout is not None
        elsewhere.stdout.readline()
        for number in range(3):
            write(disk.folder / f"kept{number}", b"synced", sync=True)
            disk.power_cut()
            disk.restore()
        assert [(disk.folder / f"kept{number}").read_bytes() for number in range(3)] == [b"synced"] * 3
        elsewhere.communicate(b"\n")


@pytest.mark.parametrize("kind", [LoopDisk, Tmpfs])
def test_a_foreign_file_takes_the_space_and_gives_it_back(kind: type[LoopDisk | Tmpfs]) -> None:
    with kind(16) as disk:
        before = disk.free_bytes
        with disk.filled(), pytest.raises(OSError, match="No space left"):
            write(disk.folder / "mine", b"x" * (64 << 10), sync=True)
        with disk.filled(1 << 20):
            assert 0 < disk.free_bytes <= 1 << 20
        assert disk.free_bytes >= before - (64 << 10)


def test_what_a_killed_process_left_is_removed() -> None:
    script = "from agent.soak.disk import *\nd = LoopDisk(16).__enter__()\nprint(d.folder.parent, d.device)\ninput()"
    left = subprocess.Popen(
        [sys.executable, "-u", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert left.stdout is not None
    base, device = left.stdout.readline().split()
    sweep()
    assert Path(base, "disk.img").exists()  # it lives
    left.kill()
    left.communicate()
    sweep()
    assert not Path(base).exists()
    assert base not in Path("/proc/self/mounts").read_text()
    backing = Path("/sys/block", Path(device).name, "loop/backing_file")
    assert not backing.exists() or base not in backing.read_text()


def test_a_call_of_a_running_process_fails_while_asked_and_no_longer() -> None:
    script = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
        "for _ in sys.stdin:\n"
        "    try:\n        os.fdatasync(fd)\n        print('done')\n"
        "    except OSError as error:\n        print(error.errno)\n"
    )
    command = [sys.executable, "-u", "-c", script, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def call() -> str:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        assert call() == "done"
        with injected(process.pid, "fdatasync:error=EIO:when=2"):
            assert [call(), call(), call()] == ["done", "5", "done"]
        assert call() == "done"
        process.stdin.close()


def test_nothing_is_injected_into_a_process_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(DependencyError, match="cannot attach"), injected(gone.pid, "fdatasync:error=EIO"):
        pass
