"""A file system in memory that keeps what was synced and nothing more, over the kernel's FUSE protocol. Takes root.

Every file is there twice: as it reads, and as it would be after a power cut. A sync brings the second up to the first; one
that fails on purpose does not, and forgets what it should have brought, as disks and kernels do. Names are durable at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

IN = struct.Struct("<IIQQIIIHH")
OUT = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
ENTRY = struct.Struct("<QQQQII")
WRITE_BYTES_MAX = 1 << 20
BLOCK = 4096
DIRECT_IO = 1
ROOT = 1

LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, UNLINK, RMDIR, RENAME, OPEN, READ, WRITE, STATFS = 1, 2, 3, 4, 9, 10, 11, 12, 14, 15, 16, 17
RELEASE, FSYNC, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR, ACCESS, CREATE, INTERRUPT = 18, 20, 25, 26, 27, 28, 29, 30, 34, 35, 36
DESTROY, BATCH_FORGET, FALLOCATE, RENAME2 = 38, 42, 43, 45
SILENT = {FORGET, BATCH_FORGET, INTERRUPT}
SETATTR_MODE, SETATTR_SIZE = 1, 8


class Node:
    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = mode
        self.names: dict[bytes, Node] = {}
        self.live = bytearray()
        self.durable = bytearray()
        # Ranges that were written since the last sync.
        self.unsynced: list[tuple[int, int]] = []

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def resize(self, length: int) -> None:
        if length < len(self.live):
            del self.live[length:]
        else:
            self.live.extend(bytes(length - len(self.live)))

    def write(self, position: int, data: bytes) -> None:
        end = position + len(data)
        if len(self.live) < end:
            self.resize(end)
        self.live[position:end] = data
        self.unsynced.append((position, end))

    def sync(self) -> None:
        length = len(self.live)
        if length < len(self.durable):
            del self.durable[length:]
        else:
            self.durable.extend(bytes(length - len(self.durable)))
        for start, end in self.unsynced:
            end = min(end, length)
            if start < end:
                self.durable[start:end] = self.live[start:end]
        self.unsynced.clear()

    def sync_last_write(self) -> None:
        start, end = self.unsynced.pop()
        if len(self.durable) < len(self.live):
            self.durable.extend(bytes(len(self.live) - len(self.durable)))
        self.durable[start:end] = self.live[start:end]


def writes_through(body: bytes) -> bool:
    """A write on a descriptor that was opened with O_DSYNC."""
    (flags,) = struct.unpack_from("<I", body, 32)
    return bool(flags & os.O_DSYNC)


class MemoryDisk:
    """Mounted in a folder; `fail` makes operations fail, `cut_power` forgets what was not synced."""

    def __init__(self, folder: Path) -> None:
        self.mount = folder
        self.nodes: dict[int, Node] = {ROOT: Node(ROOT, stat.S_IFDIR | 0o755)}
        self.paths: dict[int, bytes] = {ROOT: b""}
        self.next_number = ROOT + 1
        self.failing: list[tuple[int, bytes, int]] = []
        self.failures = 0
        self.lock = threading.Lock()
        self.descriptor = -1
        self.thread: threading.Thread | None = None

    def __enter__(self) -> MemoryDisk:
        self.mount.mkdir(parents=True, exist_ok=True)
        self.attach()
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def attach(self) -> None:
        self.descriptor = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.descriptor},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"memory-disk", bytes(self.mount), b"fuse", 0, options) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"cannot mount: {os.strerror(code)}")
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def detach(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.mount)], check=False, stderr=subprocess.DEVNULL)
        if self.thread is not None:
            self.thread.join(10)
            self.thread = None
        with contextlib.suppress(OSError):
            os.close(self.descriptor)

    def fail(self, operation: int, part: str = "", code: int = errno.EIO) -> None:
        """From now on this operation fails on what has `part` in its path."""
        with self.lock:
            self.failing.append((operation, part.encode(), code))

    def mend(self) -> None:
        with self.lock:
            self.failing.clear()

    def cut_power(self) -> None:
        """To be called while nobody uses the disk: what was not synced is gone."""
        self.detach()
        for node in self.nodes.values():
            node.live = bytearray(node.durable)
            node.unsynced.clear()
        self.attach()

    def serve(self) -> None:
        while True:
            try:
                request = os.read(self.descriptor, WRITE_BYTES_MAX + BLOCK)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return
            _, operation, unique, number, *_ = IN.unpack_from(request)
            if operation in SILENT:
                continue
            try:
                with self.lock:
                    answer = self.answer(operation, number, request[IN.size :])
                code = 0
            except OSError as error:
                answer, code = b"", -(error.errno or errno.EIO)
            except KeyError:
                answer, code = b"", -errno.ENOENT
            try:
                os.write(self.descriptor, OUT.pack(OUT.size + len(answer), code, unique) + answer)
            except OSError:
                # The asker was killed meanwhile, or the disk is detached.
                continue
            if operation == DESTROY:
                return

    def answer(self, operation: int, number: int, body: bytes) -> bytes:
        node = self.nodes[number] if number else self.nodes[ROOT]
        path = self.paths.get(node.number, b"")
        syncs = operation == FSYNC or (operation == WRITE and writes_through(body))
        for failing, part, code in self.failing:
            if part in path and (failing == operation or (failing == FSYNC and syncs)):
                self.failures += 1
                if failing == FSYNC:
                    # What was written can be read. The next one will succeed, and bring nothing.
                    if operation == WRITE:
                        self.write_live(node, body)
                    node.unsynced.clear()
                raise OSError(code, "on purpose")
        handler = HANDLERS.get(operation)
        if handler is None:
            raise OSError(errno.ENOSYS, "not here")
        return handler(self, node, body)

    def attributes(self, node: Node) -> bytes:
        size, now = len(node.live), int(time.time())
        times = (now, now, now, 0, 0, 0)
        links = 2 if node.is_folder else 1
        return ATTR.pack(node.number, size, -(-size // 512), *times, node.mode, links, 0, 0, 0, BLOCK, 0)

    def entry(self, node: Node) -> bytes:
        return ENTRY.pack(node.number, 0, 0, 0, 0, 0) + self.attributes(node)

    def add(self, parent: Node, name: bytes, mode: int) -> Node:
        node = Node(self.next_number, mode)
        self.next_number += 1
        self.nodes[node.number] = node
        self.put(parent, name, node)
        return node

    def put(self, parent: Node, name: bytes, node: Node) -> None:
        parent.names[name] = node
        self.paths[node.number] = self.paths[parent.number] + b"/" + name

    def init(self, _: Node, body: bytes) -> bytes:
        major, _, readahead, _ = struct.unpack_from("<IIII", body)
        flags = 1 << 3 | 1 << 5 | 1 << 22
        return struct.pack("<IIIIHHIIHHII28x", major, 31, readahead, flags, 16, 12, WRITE_BYTES_MAX, 1, WRITE_BYTES_MAX // BLOCK, 0, 0, 0)[
            :64
        ]

    def look_up(self, node: Node, body: bytes) -> bytes:
        return self.entry(node.names[body.rstrip(b"\0")])

    def get_attributes(self, node: Node, _: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + self.attributes(node)

    def set_attributes(self, node: Node, body: bytes) -> bytes:
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        if valid & SETATTR_SIZE:
            node.resize(size)
        if valid & SETATTR_MODE:
            node.mode = stat.S_IFMT(node.mode) | struct.unpack_from("<I", body, 68)[0] & 0o7777
        return self.get_attributes(node, body)

    def make_folder(self, node: Node, body: bytes) -> bytes:
        mode, _ = struct.unpack_from("<II", body)
        return self.entry(self.add(node, body[8:].rstrip(b"\0"), stat.S_IFDIR | mode & 0o7777))

    def create(self, node: Node, body: bytes) -> bytes:
        _, mode, _, _ = struct.unpack_from("<IIII", body)
        made = self.add(node, body[16:].rstrip(b"\0"), stat.S_IFREG | mode & 0o7777)
        return self.entry(made) + self.open(made, b"")

    def open(self, node: Node, body: bytes) -> bytes:
        if body and not node.is_folder and struct.unpack_from("<I", body)[0] & os.O_TRUNC:
            node.resize(0)
        return struct.pack("<QIi", node.number, 0 if node.is_folder else DIRECT_IO, 0)

    def read(self, node: Node, body: bytes) -> bytes:
        _, position, size = struct.unpack_from("<QQI", body)
        return bytes(node.live[position : position + size])

    def write_live(self, node: Node, body: bytes) -> bytes:
        _, position, size = struct.unpack_from("<QQI", body)
        node.write(position, body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def write(self, node: Node, body: bytes) -> bytes:
        answer = self.write_live(node, body)
        if writes_through(body):
            node.sync_last_write()
        return answer

    def sync(self, node: Node, _: bytes) -> bytes:
        node.sync()
        return b""

    def allocate(self, node: Node, body: bytes) -> bytes:
        _, position, length, mode = struct.unpack_from("<QQQI", body)
        if mode == 0:
            node.resize(max(len(node.live), position + length))
        return b""

    def remove(self, node: Node, body: bytes) -> bytes:
        gone = node.names[body.rstrip(b"\0")]
        if gone.names:
            raise OSError(errno.ENOTEMPTY, "not empty")
        del node.names[body.rstrip(b"\0")]
        return b""

    def rename(self, node: Node, body: bytes, header: int = 8) -> bytes:
        (parent,) = struct.unpack_from("<Q", body)
        old, new = body[header:].rstrip(b"\0").split(b"\0")
        self.put(self.nodes[parent], new, node.names.pop(old))
        return b""

    def rename_as_told(self, node: Node, body: bytes) -> bytes:
        return self.rename(node, body, 16)

    def list(self, node: Node, body: bytes) -> bytes:
        _, position, size = struct.unpack_from("<QQI", body)
        listed = b""
        for place, (name, child) in enumerate(sorted(node.names.items())):
            if place < position:
                continue
            one = struct.pack("<QQII", child.number, place + 1, len(name), child.mode >> 12) + name
            one += bytes(-len(one) % 8)
            if len(listed) + len(one) > size:
                break
            listed += one
        return listed

    def space(self, _: Node, __: bytes) -> bytes:
        blocks = 1 << 20
        return struct.pack("<QQQQQIIII24x", blocks, blocks, blocks, blocks, blocks, BLOCK, 255, BLOCK, 0)

    def nothing(self, _: Node, __: bytes) -> bytes:
        return b""


HANDLERS: dict[int, Callable[[MemoryDisk, Node, bytes], bytes]] = {
    INIT: MemoryDisk.init,
    LOOKUP: MemoryDisk.look_up,
    GETATTR: MemoryDisk.get_attributes,
    SETATTR: MemoryDisk.set_attributes,
    MKDIR: MemoryDisk.make_folder,
    CREATE: MemoryDisk.create,
    OPEN: MemoryDisk.open,
    OPENDIR: MemoryDisk.open,
    READ: MemoryDisk.read,
    WRITE: MemoryDisk.write,
    FSYNC: MemoryDisk.sync,
    FSYNCDIR: MemoryDisk.nothing,
    FALLOCATE: MemoryDisk.allocate,
    UNLINK: MemoryDisk.remove,
    RMDIR: MemoryDisk.remove,
    RENAME: MemoryDisk.rename,
    RENAME2: MemoryDisk.rename_as_told,
    READDIR: MemoryDisk.list,
    STATFS: MemoryDisk.space,
    ACCESS: MemoryDisk.nothing,
    FLUSH: MemoryDisk.nothing,
    RELEASE: MemoryDisk.nothing,
    RELEASEDIR: MemoryDisk.nothing,
    DESTROY: MemoryDisk.nothing,
}
