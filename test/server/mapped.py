# SPDX-License-Identifier: MIT
"""A worker that reads out of a mapped file lives through whatever is done to the file, and keeps
nobody who wants to write to it waiting."""
import fcntl
import os
import sys
import tempfile
import time
from testlib import Daemon, Front, main, skip, wait_until

SIZE = 100000
CONTENT = bytes(1 + i % 251 for i in range(SIZE))


def host_file():
    """On tmpfs, which is mapped."""
    f = tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="fsif-mapped-")
    f.write(CONTENT)
    f.flush()
    os.chmod(f.name, 0o644)
    return f


def can_lease():
    with host_file() as f:
        name = f.name + "-lease"
        os.link(f.name, name)
    fd = os.open(name, os.O_RDONLY)
    os.unlink(name)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


class Served:
    """A session on /dev/shm and its one worker, with the file NAME of it open for reading."""

    def __init__(self, folder, keys):
        self.file = host_file()
        self.path = self.file.name + "-served"
        os.link(self.file.name, self.path)
        self.file.close()  # nobody has it open for writing now
        self.daemon = Daemon(folder, "-e", "data=/dev/shm" + keys)

    def __enter__(self):
        self.daemon.__enter__()
        self.front = Front(self.daemon.socket)
        try:
            assert self.front.session("data")["status"] == "0"
            self.handle = self.front.open(os.path.basename(self.path))
            assert self.handle >= 0, self.handle
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *why):
        os.unlink(self.path)
        self.front.close()
        return self.daemon.__exit__(*why)

    def read_often(self):
        """The 512th read asks for a lease in any case, and 320 more map what is read."""
        for i in range(900):
            off = i * 4096 % SIZE
            assert self.front.read(self.handle, 4096, off) == CONTENT[off:off + 4096], off

    def mapped(self):
        (worker,) = self.daemon.workers()
        with open("/proc/%d/maps" % worker) as f:
            return self.path in f.read()


def read_again_and_again(folder):
    with Served(folder, ",ro") as s:
        s.read_often()
        assert s.mapped()
        began = time.monotonic()
        with open(s.path, "r+b") as f:
            f.write(b"new")
        assert time.monotonic() - began < 20, "the lease was not given back"
        wait_until(lambda: not s.mapped(), "the file is unmapped")
        assert s.front.read(s.handle, 5) == b"new" + CONTENT[3:5]


def cut_off(folder):
    with Served(folder, ",ro") as s:
        s.read_often()
        assert s.mapped()
        os.truncate(s.path, 5000)
        assert s.front.read(s.handle, 4096, 4096) == CONTENT[4096:5000]
        assert s.front.read(s.handle, 4096, 8192) == b""


def emptied_without_a_word(folder):
    """This breaks no lease: the worker meets memory that is not there any more."""
    with Served(folder, ",ro") as s:
        s.read_often()
        assert s.mapped()
        os.close(os.open(s.path, os.O_RDONLY | os.O_TRUNC))
        assert s.front.read(s.handle, 4096, 4096) == b""
        wait_until(lambda: not s.mapped(), "the file is unmapped")
        assert s.front.read(s.handle, 4096) == b""


def no_lease(folder):
    with Served(folder, ",ro,nolease") as s:
        s.read_often()
        assert not s.mapped()


if __name__ == "__main__":
    if not can_lease():
        skip("no leases on /dev/shm")
    main([read_again_and_again, cut_off, emptied_without_a_word, no_lease])
