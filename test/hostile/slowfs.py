# SPDX-License-Identifier: MIT
"""A file system whose reads wait: FUSE spoken by hand over /dev/fuse.

It holds a directory with two regular files, "slow" and "file". A read of "slow" waits until
release() is called; "file" answers at once. Nothing but Linux is needed, and the right to mount.
"""
import ctypes
import errno
import os
import select
import stat
import struct
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
IN_HEADER = struct.Struct("<IIQQIIII")
OUT_HEADER = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")

LOOKUP, FORGET, GETATTR, SETATTR = 1, 2, 3, 4
OPEN, READ, WRITE, STATFS, RELEASE = 14, 15, 16, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT = 25, 26, 27, 28, 29, 36
BATCH_FORGET, DESTROY = 42, 38

NODES = {1: None, 2: b"slow", 3: b"file"}
SIZE = 1 << 20
CONTENT = b"F"


class Unavailable(Exception):
    """Why there can be no such file system here."""


def mount(where):
    try:
        fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        raise Unavailable("no /dev/fuse: " + e.strerror) from e
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
    if LIBC.mount(b"slowfs", os.fsencode(where), b"fuse", 6, options) != 0:
        os.close(fd)
        raise Unavailable("cannot mount fuse: " + os.strerror(ctypes.get_errno()))
    return fd


class SlowFs:
    """Mounted at @where until close()."""

    def __init__(self, where):
        self.where = where
        self.fd = mount(where)
        self.held = []  # unique numbers of reads that wait, with their lengths
        self.open_gate = False
        self.change = threading.Condition()
        self.wake = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def waiting(self):
        with self.change:
            return len(self.held)

    def release(self):
        """Answer all that waits, and let what comes later pass."""
        with self.change:
            self.open_gate = True
            held, self.held = self.held, []
        for unique, length in held:
            self._reply(unique, CONTENT * length)

    def hold(self):
        with self.change:
            self.open_gate = False

    def close(self):
        self.release()
        LIBC.umount2(os.fsencode(self.where), 2)
        os.write(self.wake[1], b"x")
        self.thread.join()
        for fd in (self.fd,) + self.wake:
            os.close(fd)

    def _serve(self):
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        poller.register(self.wake[0], select.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self.wake[0] in ready:
                return
            try:
                packet = os.read(self.fd, 1 << 17)
            except OSError as e:
                if e.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return  # unmounted
            self._request(packet)

    def _reply(self, unique, data=b"", error=0):
        try:
            os.write(self.fd, OUT_HEADER.pack(16 + len(data), -error, unique) + data)
        except OSError:
            pass  # it was interrupted, or the file system is gone

    @staticmethod
    def _attr(node):
        mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o666
        size = 0 if node == 1 else SIZE
        return ATTR.pack(node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _request(self, packet):
        _, op, unique, node = IN_HEADER.unpack_from(packet)[:4]
        body = packet[IN_HEADER.size:]
        if op == INIT:
            self._reply(unique, struct.pack("<IIIIHHIIHHIIHHIIIIII", 7, 31, 0, 0, 64, 48, 1 << 16,
                                            1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)[:64])
        elif op == LOOKUP:
            name = body.rstrip(b"\0")
            found = [n for n, known in NODES.items() if known == name]
            if not found:
                self._reply(unique, error=errno.ENOENT)
                return
            entry = struct.pack("<QQQQII", found[0], 1, 60, 60, 0, 0)
            self._reply(unique, entry + self._attr(found[0]))
        elif op in (GETATTR, SETATTR):
            self._reply(unique, struct.pack("<QII", 60, 0, 0) + self._attr(node))
        elif op in (OPEN, OPENDIR):
            # FOPEN_DIRECT_IO: every read of a guest is a read here
            self._reply(unique, struct.pack("<QII", node, 1 if op == OPEN else 0, 0))
        elif op == READ:
            self._read(unique, node, struct.unpack_from("<QQI", body)[2])
        elif op == WRITE:
            self._reply(unique, struct.pack("<II", struct.unpack_from("<QQI", body)[2], 0))
        elif op == STATFS:
            self._reply(unique, struct.pack("<QQQQQIIII", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
                        + bytes(24))
        elif op == INTERRUPT:
            self._interrupt(struct.unpack_from("<Q", body)[0])
        elif op in (READDIR, FLUSH, RELEASE, RELEASEDIR):
            self._reply(unique)
        elif op not in (FORGET, BATCH_FORGET, DESTROY):
            self._reply(unique, error=errno.ENOSYS)

    def _read(self, unique, node, length):
        with self.change:
            if node == 2 and not self.open_gate:
                self.held.append((unique, length))
                return
        self._reply(unique, CONTENT * length)

    def _interrupt(self, unique):
        with self.change:
            mine = [h for h in self.held if h[0] == unique]
            self.held = [h for h in self.held if h[0] != unique]
        if mine:
            self._reply(unique, error=errno.EINTR)
