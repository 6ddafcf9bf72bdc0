"""Small file systems of their own on loop devices, and ways to break them. All of it takes root."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
import time
from pathlib import Path

# EXT4_IOC_SHUTDOWN, and what it is told: forget what is not in the journal yet, as a power cut does.
SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2
RELEASED_WITHIN = 60.0


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Disk:
    """An ext4 of its own, mounted in a folder."""

    def __init__(self, folder: Path, size_bytes: int = 1 << 30, options: str = "errors=remount-ro") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.image = folder / "image"
        self.mount = folder / "mount"
        self.size_bytes = size_bytes
        self.options = options
        self.device = ""

    def __enter__(self) -> Disk:
        with self.image.open("wb") as image:
            image.truncate(self.size_bytes)
        self.mount.mkdir()
        run("mkfs.ext4", "-q", "-m", "0", str(self.image))
        self.attach()
        return self

    def attach(self) -> None:
        self.device = run("losetup", "--find", "--show", str(self.image))
        run("mount", "-o", self.options, self.device, str(self.mount))

    def detach(self, *how: str) -> None:
        if os.path.ismount(self.mount):
            self.unmount(*how)
        if self.device:
            # Gone when its last user is.
            subprocess.run(["losetup", "--detach", self.device], check=False, stderr=subprocess.DEVNULL)
            self.device = ""

    def unmount(self, *how: str) -> None:
        """The kernel gives back what a ring had open a moment after the process has ended."""
        end = time.monotonic() + RELEASED_WITHIN
        while subprocess.run(["umount", *how, str(self.mount)], check=False).returncode != 0:
            if time.monotonic() > end:
                raise OSError(f"{self.mount} is still busy")
            time.sleep(0.1)

    def mend(self) -> None:
        """Off and on again, as after a repair: what the journal has is brought in."""
        self.detach()
        self.attach()

    def cut_power(self) -> None:
        """From now on every operation fails, and what was not in the journal is lost."""
        opened = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(opened, SHUTDOWN, array.array("I", [WITHOUT_FLUSH]))
        finally:
            os.close(opened)

    def make_read_only(self) -> None:
        """What ext4 does by itself when it finds an error."""
        Path(f"/sys/fs/ext4/{Path(self.device).name}/trigger_fs_error").write_text("tools/crash")

    def hold(self) -> None:
        """From now on no write comes to an end."""
        run("fsfreeze", "--freeze", str(self.mount))

    def let_go(self) -> None:
        """All that waited is done."""
        run("fsfreeze", "--unfreeze", str(self.mount))

    def take_away(self) -> None:
        """The folder is another one at once; what is open stays open."""
        self.detach("--lazy")

    def __exit__(self, *_: object) -> None:
        self.detach()
