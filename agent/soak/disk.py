"""A disk that can lose its power or fill up: an ext4 image on a loop device, or a small tmpfs.

Each lies in a folder of its own, named after the process that made it, so that what a killed process left mounted is
found by name and removed by the next one (`sweep`). Linux only, as root.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipelines.errors import DependencyError

_FS_IOC_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = struct.pack("I", 2)
"""Stop at once: what was not synced is gone, as when the power goes (EXT4_GOING_FLAGS_NOLOGFLUSH of fs/ext4/ext4.h)."""
_NAME: Final = re.compile(r"(/\S*/sf-disk-(\d+)\.(\d+)-[^/\s]*)/")
_SYS_ADMIN: Final = 1 << 21
_BUSY_S: Final = 10.0
_PAUSE_S: Final = 0.02
_SECTOR: Final = 512
_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
_PACKAGES: Final = {"mkfs.ext4": "e2fsprogs", "losetup": "mount", "mount": "mount", "umount": "mount"}


def unavailable() -> str:
    """Why disks cannot be made here; empty when they can."""
    found = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None or not int(found[1], 16) & _SYS_ADMIN:
        return "needs root, to mount a file system"
    for program, package in _PACKAGES.items():
        if shutil.which(program, path=_PATH) is None:
            return f"needs {program}: sudo apt install {package}"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices: sudo modprobe loop"
    return ""


class Volume(ABC):
    """A mounted file system of its own, as a context manager.

    Args:
        mib: its size, MiB.

    Attributes:
        folder: where it is mounted.
        size_bytes: of the device.

    Raises:
        DependencyError: it cannot be made here.
    """

    def __init__(self, mib: int) -> None:
        self.size_bytes = mib << 20
        self._base = Path()
        self.folder = Path()

    def __enter__(self) -> Self:
        """Make and mount it, after removing what killed processes left."""
        if reason := unavailable():
            raise DependencyError("disk", reason)
        sweep()
        self._base = Path(tempfile.mkdtemp(prefix=f"sf-disk-{os.getpid()}.{_started(os.getpid())}-"))
        self.folder = self._base / "mnt"
        self.folder.mkdir()
        try:
            self._make(self._base)
            self.mount()
        except DependencyError:
            _remove(self._base)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmount and remove it, whoever still holds files in it."""
        _remove(self._base)

    @abstractmethod
    def _make(self, base: Path) -> None:
        """What must be there before it can be mounted, in the folder `base`."""

    @abstractmethod
    def mount(self) -> None:
        """Mount it; an ext4 recovers from its own log.

        Raises:
            DependencyError: it could not be mounted.
        """

    def unmount(self) -> None:
        """Unmount it, as soon as processes that were killed let go of it.

        Raises:
            DependencyError: somebody still uses it.
        """
        deadline_s = time.monotonic() + _BUSY_S
        while True:
            try:
                _run("umount", str(self.folder))
            except DependencyError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return

    @property
    def free_bytes(self) -> int:
        """What is left for files."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    @contextmanager
    def filled(self, leave_bytes: int = 0) -> Iterator[None]:
        """A foreign file takes all space but `leave_bytes`, for as long as the block runs."""
        foreign = self.folder / "foreign.bin"
        try:
            with foreign.open("wb") as file:
                size, step = 0, max(0, self.free_bytes - leave_bytes)
                while step:
                    try:
                        os.posix_fallocate(file.fileno(), size, step)
                        size += step
                        step = min(step, max(0, self.free_bytes - leave_bytes))
                    except OSError:
                        step //= 2
            yield
        finally:
            foreign.unlink(missing_ok=True)


class Tmpfs(Volume):
    """A file system in memory."""

    def _make(self, base: Path) -> None:
        """Nothing: a mount makes it."""

    def mount(self) -> None:
        """Mount it, empty."""
        _run("mount", "-t", "tmpfs", "-o", f"size={self.size_bytes}", "sf-disk", str(self.folder))


class LoopDisk(Volume):
    """An ext4 on a loop device.

    Attributes:
        device: such as `/dev/loop0`; another one after `restore`.
    """

    device: str = ""
    _written_before: int = 0

    def _make(self, base: Path) -> None:
        image = base / "disk.img"
        with image.open("wb") as file:
            file.truncate(self.size_bytes)
        whole = "lazy_itable_init=0,lazy_journal_init=0"  # nothing is left to be written later
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", whole, str(image))
        self._attach()

    def _attach(self) -> None:
        self.device = _run("losetup", "--find", "--show", str(self._base / "disk.img")).strip()

    def mount(self) -> None:
        """Mount it; recovers from its own log.

        Raises:
            DependencyError: it could not be mounted.
        """
        _run("mount", self.device, str(self.folder))

    def power_cut(self) -> None:
        """Everything not synced is gone; whoever has a file open gets EIO from now on, until `restore`."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _FS_IOC_SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(fd)

    def restore(self) -> None:
        """The power is back: unmount and mount again; whoever used it must be gone.

        A process elsewhere with mount points of its own, such as one in a network namespace, may keep the dead file
        system alive unseen, and mounting its device would give that one again. Hence the image gets another device.

        Raises:
            DependencyError: somebody still uses it, or it could not be mounted.
        """
        self.unmount()
        fd = os.open(self.device, os.O_RDONLY)
        try:
            os.fsync(fd)  # blocks that its log holds already; later they would overwrite newer ones
        finally:
            os.close(fd)
        self._written_before = self.written_bytes
        _run("losetup", "--detach", self.device)
        self._attach()
        self.mount()

    @property
    def written_bytes(self) -> int:
        """Bytes written to it since it was made, those of the file system itself included."""
        # Documentation/block/stat.rst of the kernel: the 7th word is sectors written, of 512 bytes whatever the device.
        words = Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()
        return self._written_before + int(words[6]) * _SECTOR


def sweep() -> None:
    """Unmount and remove what processes that live no longer have left."""
    for base in sorted(_bases()):
        if (found := _NAME.search(f"{base}/")) and _started(int(found[2])) != int(found[3]):
            _remove(base)


def _bases() -> set[Path]:
    """Folders of all disks of ours, from what is mounted, attached, or left in the temporary folder."""
    places = [*Path(tempfile.gettempdir()).glob("sf-disk-*.*-*"), *_images().values()]
    texts = [*(f"{place}/" for place in places), *Path("/proc/self/mounts").read_text().splitlines()]
    return {Path(found[1]) for text in texts if (found := _NAME.search(text))}


def _images() -> dict[str, Path]:
    """The image behind each loop device."""
    images = {}
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # detached between the two looks
            images[f"/dev/{path.parents[1].name}"] = Path(path.read_text().strip().removesuffix(" (deleted)"))
    return images


def _remove(base: Path) -> None:
    """Unmount, detach and delete; each may be done already, by us or by another sweep."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split(" ")[1]
        if place.startswith(f"{base}/"):
            with suppress(DependencyError):
                _run("umount", "--lazy", place)
    for device, image in _images().items():
        if image.parent == base:
            with suppress(DependencyError):
                _run("losetup", "--detach", device)
    shutil.rmtree(base, ignore_errors=True)


def _started(pid: int) -> int | None:
    """When a process started, in ticks since boot, which tells it from a later one of the same id; None = gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None


def _run(program: str, *arguments: str) -> str:
    """Run a program of the system; what it said.

    Raises:
        DependencyError: it is missing, or failed.
    """
    path = shutil.which(program, path=_PATH)
    if path is None:
        raise DependencyError(program, f"missing: sudo apt install {_PACKAGES[program]}")
    ran = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise DependencyError(program, ran.stderr.strip() or f"exit code {ran.returncode}")
    return ran.stdout
