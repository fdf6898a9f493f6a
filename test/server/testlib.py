# SPDX-License-Identifier: MIT
"""What the tests of the daemon share: a daemon of their own and a small frontend."""
import array
import fcntl
import mmap
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import front3

BUILD = os.environ.get("FSIF_BUILD", ".")
PROGRAM = os.environ.get("FSIF_BACKEND", BUILD + "/backends/server/fsif-backend")
DRIVE = os.environ.get("FSIF_DRIVE", BUILD + "/test/server/server-drive")
PLUGINS = os.environ.get("FSIF_TEST_PLUGINS", BUILD + "/test/plugins")
DIALECT = int(os.environ.get("FSIF_DIALECT", "1"))
DEADLINE = 30

ENOENT, EAGAIN, EPROTO = 2, 11, 71
OPEN, CLOSE, READ, WRITE, STAT, REMOVE, CREATE, LIST = 1, 2, 3, 4, 5, 7, 9, 10


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def wait_until(condition, what, timeout=DEADLINE):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited in vain: " + what
        time.sleep(0.005)


def children(pid):
    """The processes whose parent is @pid, dead ones that nobody reaped among them."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(name))
    return sorted(found)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Scratch:
    """A temporary folder that everybody may look into."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="fsif-server-")
        os.chmod(self.path, 0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Daemon:
    """A daemon that has printed its `listening` line."""

    def __init__(self, folder, *arguments, listen=True, ready=True, plugin_dir=True, **popen):
        self.socket = folder + "/socket"
        self.log_path = folder + "/log"
        self.log_file = open(self.log_path, "ab")
        line = [PROGRAM] + (["--plugin-dir", PLUGINS] if plugin_dir else [])
        if listen:
            line += ["-l", "shm:" + self.socket]
        self.process = subprocess.Popen(line + list(arguments), stdout=subprocess.PIPE,
                                        stderr=self.log_file, stdin=subprocess.DEVNULL, **popen)
        self.pid = self.process.pid
        self.line = self.process.stdout.readline().decode() if ready else ""
        if ready:
            assert self.line.startswith("fsif-backend: listening on "), self.line + self.log()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for pid in children(self.pid):
            try:
                os.kill(pid, signal.SIGCONT)
            except OSError:
                pass
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()
        if kind:
            sys.stderr.write("--- log of the daemon\n" + self.log())

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern):
        wait_until(lambda: re.search(pattern, self.log()), "%r in the log" % pattern)

    def workers(self):
        return children(self.pid)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def assert_clean(self, code=0):
        """It has ended and left nothing."""
        assert self.process.wait(DEADLINE) == code, self.process.returncode
        assert not os.path.exists(self.socket), "the socket is left"


def encode(**keys):
    return "".join("%s=%s\n" % (k.replace("_", "-"), v) for k, v in keys.items()).encode()


def decode(packet):
    return dict(line.split("=", 1) for line in packet.decode().splitlines())


class Steps1:
    """Dialect 1."""

    prod = cons = 0

    def share(self, pages=65):
        self.pages = pages
        self.memfd = os.memfd_create("fsif-test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.memfd, pages * 4096)
        fcntl.fcntl(self.memfd, 1033, 1 | 2 | 4)  # F_ADD_SEALS: SEAL, SHRINK, GROW
        self.mem = mmap.mmap(self.memfd, pages * 4096)
        struct.pack_into("<II", self.mem, 4, 1, 0)
        self.store(12, 1)

    def session_keys(self, export):
        return dict(fsif=1, request="session", export=export, dialects=1, features="errno",
                    pages=self.pages, ring_pages=1, ring_ref=0)

    def started(self, answer):
        pass

    def drop_memory(self):
        pass

    # --- the ring

    def put(self, kind, number, operands=b"", page=b""):
        """Write a request with id @number into its slot, without publishing it."""
        at = 4096 * (1 + number)
        self.mem[at:at + len(page)] = page
        slot = 64 + 32 * (self.prod % 64)
        self.mem[slot:slot + 32] = (struct.pack("<BxHxxxx", kind, number) + operands).ljust(32, b"\0")
        self.prod += 1

    def data_operands(self, number, handle, length):
        return struct.pack("<IIQQ", handle, number + 1, length, 0)

    def put_read(self, number, handle, length):
        self.put(READ, number, self.data_operands(number, handle, length))

    def put_write(self, number, handle, data):
        self.put(WRITE, number, self.data_operands(number, handle, len(data)), data)

    def put_stat(self, number, handle):
        self.put(STAT, number, struct.pack("<II", handle, number + 1))

    def put_list(self, number):
        self.put(LIST, number, struct.pack("<II", 0, number + 1), b"/\0")

    def put_open(self, number, name):
        self.put(OPEN, number, struct.pack("<I", number + 1), name.encode() + b"\0")

    def put_directory(self, number, name):
        self.put(CREATE, number, struct.pack("<bxxxiI", 1, 0o755, number + 1),
                 name.encode() + b"\0")

    def store(self, at, value):
        """A word of the ring in one store; struct.pack_into() writes octet by octet."""
        with memoryview(self.mem) as octets, octets.cast("I") as words:
            words[at // 4] = value

    def publish_silently(self):
        self.store(0, self.prod)

    def publish(self):
        self.publish_silently()
        self.ring()

    def ring(self):
        os.write(self.bells[0], struct.pack("=Q", 1))

    def answers(self):
        """The responses that are there: pairs of id and value."""
        found = []
        while self.cons != struct.unpack_from("<I", self.mem, 8)[0]:
            slot = 64 + 32 * (self.cons % 64)
            number, = struct.unpack_from("<H", self.mem, slot)
            value, = struct.unpack_from("<q", self.mem, slot + 8)
            found.append((number, value))
            self.cons += 1
        self.store(12, self.cons + 1)
        return found

    def wait(self, count, timeout=DEADLINE):
        """At least @count responses, perhaps more."""
        found = []
        end = time.monotonic() + timeout
        while len(found) < count:
            found += self.answers()
            left = end - time.monotonic()
            assert left > 0, "only %d of %d answers" % (len(found), count)
            if len(found) < count:
                select.select([self.bells[1]], [], [], min(left, 0.05))
                try:
                    os.read(self.bells[1], 8)
                except BlockingIOError:
                    pass
        return found

    def call(self, kind, operands=b"", page=b""):
        self.put(kind, 0, operands, page)
        self.publish()
        (number, value), = self.wait(1)
        assert number == 0
        return value

    def create(self, name, mode=0o644):
        return self.call(CREATE, struct.pack("<bxxxiI", 0, mode, 1), name.encode() + b"\0")

    def open(self, name):
        return self.call(OPEN, struct.pack("<I", 1), name.encode() + b"\0")

    def write(self, handle, data, offset=0):
        return self.call(WRITE, struct.pack("<IIQQ", handle, 1, len(data), offset), data)

    def read(self, handle, length, offset=0):
        got = self.call(READ, struct.pack("<IIQQ", handle, 1, length, offset))
        return bytes(self.mem[4096:4096 + got]) if got >= 0 else got


class Connection:
    """A frontend over shm, one step at a time; what its dialect has to do with comes from Steps."""

    def __init__(self, path, timeout=DEADLINE):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.connect(path, time.monotonic() + timeout)
        self.memfd = None
        self.bells = []

    def connect(self, path, end):
        while True:
            try:
                return self.sock.connect(path)
            except BlockingIOError:  # the backlog is full at the moment
                assert time.monotonic() < end
                time.sleep(0.001)

    def close(self):
        for fd in self.bells + ([self.memfd] if self.memfd is not None else []):
            os.close(fd)
        self.bells = []
        self.memfd = None
        self.drop_memory()
        self.sock.close()

    def send(self, packet, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([packet], rights)

    def receive(self):
        """The next answer, or None if the other side hung up."""
        try:
            packet, fds, _, _ = socket.recv_fds(self.sock, 8192, 4)
        except ConnectionError:
            return None
        self.bells += fds
        return decode(packet) if packet else None

    def offer_exports(self, after=""):
        resume = {"export": after} if after else {}
        self.send(encode(fsif=1, request="exports", **resume))

    def offer_session(self, export):
        self.send(encode(**self.session_keys(export)), [self.memfd])

    def exports(self):
        """Everything that the daemon offers, page by page."""
        names = []
        while True:
            self.offer_exports(names[-1].split()[0] if names else "")
            answer = self.receive()
            assert answer and answer["status"] == "0", answer
            page = [v for k, v in answer.items() if k.startswith("export-")]
            names += page
            if answer["more"] == "0":
                return names

    def session(self, export, pages=65):
        """Start a session; returns the answer."""
        if self.memfd is None:
            self.share(pages)
        self.offer_session(export)
        answer = self.receive()
        if answer and answer["status"] == "0":
            self.started(answer)
        return answer

    def hung_up(self, timeout=DEADLINE):
        """Wait until the other side closes the socket."""
        self.sock.settimeout(timeout)
        return self.receive() is None


class Front(front3.Steps if DIALECT == 3 else Steps1, Connection):
    """A frontend of the dialect that the tests run in."""


def works(path, export, timeout=DEADLINE):
    """A whole session from beginning to end."""
    front = Front(path, timeout)
    try:
        answer = front.session(export)
        assert answer and answer["status"] == "0", answer
        handle = front.create("works-%d" % os.getpid())
        assert handle >= 0, handle
        assert front.write(handle, b"hello") == 5
        assert front.read(handle, 100) == b"hello"
    finally:
        front.close()


def main(tests):
    """Run functions, each with a folder of its own; names on the command line choose."""
    chosen = sys.argv[1:]
    for test in tests:
        if not chosen or test.__name__ in chosen:
            with Scratch() as folder:
                began = time.monotonic()
                test(folder)
                print("ok %s %.2fs" % (test.__name__, time.monotonic() - began), flush=True)
