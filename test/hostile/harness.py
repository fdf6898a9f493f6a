# SPDX-License-Identifier: MIT
"""What the hostile tests share: victims, a well-behaved neighbour, and what must hold at the end.

A test is a function of one argument, decorated with @row("B1"). The argument makes scratch folders
and victims. When a victim's `with` block ends, the harness itself asserts what every row of the
table promises: the victim lives and ends well, the neighbour was served meanwhile without an error,
no sanitizer has spoken, and processes, descriptors and memory are back where they were.
"""
import contextlib
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import attack

BUILD = os.environ.get("FSIF_BUILD", "build/dev")
BACKEND = os.environ.get("FSIF_BACKEND", BUILD + "/backends/server/fsif-backend")
PROGRAMS = BUILD + "/test/hostile/"
DEADLINE = int(os.environ.get("FSIF_HOSTILE_DEADLINE", "60"))
SANITIZERS = re.compile(r"Sanitizer|runtime error:|died of signal|Assertion .* failed")
# What a process may keep after its first round of work: allocators do not give all back.
SLACK_KB = 4096
# AddressSanitizer makes each allocation larger and keeps what was freed; LeakSanitizer sees to leaks.
SLACK_ASAN_KB = 3 * SLACK_KB
QUARANTINE = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
SLACK_HEAP = 1 << 18

ROWS = {}


class Failed(Exception):
    """An assertion of a test that did not hold."""


class Skipped(Exception):
    """Why a test cannot run here."""


def row(name):
    def add(function):
        assert name not in ROWS, name
        ROWS[name] = function
        return function
    return add


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(got, wanted, what):
    if got != wanted:
        raise Failed("%s: got %r, wanted %r" % (what, got, wanted))


def among(got, wanted, what):
    if got not in wanted:
        raise Failed("%s: got %r, wanted one of %r" % (what, got, wanted))


def wait_until(condition, what, timeout=DEADLINE):
    end = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < end, "waited %d s in vain: %s" % (timeout, what))
        time.sleep(0.005)


def settled(value, what, seconds=0.1):
    """Waits until @value() stays the same for @seconds: a worker that is gone may have left its
    supervisor something to close."""
    end = time.monotonic() + DEADLINE
    last, since = value(), time.monotonic()
    while time.monotonic() < since + seconds:
        check(time.monotonic() < end, "%s never settle" % what)
        time.sleep(0.005)
        now = value()
        if now != last:
            last, since = now, time.monotonic()


# --- processes ---------------------------------------------------------------------------------

def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def slack_kb(pid):
    with open("/proc/%d/maps" % pid) as f:
        return SLACK_ASAN_KB if "/libasan." in f.read() else SLACK_KB


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Neighbour:
    """A well-behaved frontend in a process of its own: open, read, stat, close, again and again."""

    def __init__(self, path, export):
        self.shared = mmap.mmap(-1, 4096)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._live(path, export)
            except BaseException as e:  # it must not come back into the test
                self.shared[16:272] = repr(e).encode()[:256].ljust(256, b"\0")
                self._count(1)
            os._exit(0)

    def _count(self, at):
        n = struct.unpack_from("<II", self.shared)[at]
        struct.pack_into("<I", self.shared, 4 * at, n + 1)

    def _live(self, path, export):
        with attack.Front(path, export) as f:
            while True:
                fd = f.open("file")
                good = fd >= 0 and f.read(fd, 16) == b"neighbour's data"
                good = good and f.stat(fd)[4] == 16 and f.close_handle(fd) == 0
                self._count(0 if good else 1)
                time.sleep(0.005)

    def rounds(self):
        return struct.unpack_from("<I", self.shared)[0]

    def errors(self):
        return struct.unpack_from("<I", self.shared, 4)[0]

    def reason(self):
        return bytes(self.shared[16:272]).rstrip(b"\0").decode()

    def served_meanwhile(self, since, more=3):
        wait_until(lambda: self.rounds() >= since + more or self.errors(),
                   "the neighbour's session is served")
        check(not self.errors(), "the neighbour had an error: " + self.reason())

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Daemon:
    """fsif-backend as the victim, with an export of its own for the neighbour."""

    def __init__(self, test, exports, arguments=(), neighbour=True, before=None,
                 level="warning", env=None):
        self.folder = test.folder()
        self.path = self.folder + "/socket"
        self.log_path = self.folder + "/log"
        good = test.folder()
        with open(good + "/file", "w") as f:
            f.write("neighbour's data")
        # Without the lines of ordinary sessions the rate limit lets the interesting ones through.
        line = [BACKEND, "--log-level", level, "-l", "shm:" + self.path, "-e", "neighbour=" + good]
        for name, source in exports.items():
            line += ["-e", name + "=" + source]
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen(line + list(arguments), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log_file,
                                        preexec_fn=before, env={**os.environ, "ASAN_OPTIONS": QUARANTINE,
                                                                **(env or {})})
        self.pid = self.process.pid
        self.neighbour = None
        try:
            first = self.process.stdout.readline().decode()
            check("listening" in first, "the daemon says that it listens: %r" % first)
            if neighbour:
                self.neighbour = Neighbour(self.path, "neighbour")
                self.neighbour.served_meanwhile(0, 1)
            self._warm_up()
            self.calm_fds = descriptors(self.pid)
            self.calm_workers = len(self.workers())
            self.calm_rss = rss_kb(self.pid)
            self.calm_rounds = self.neighbour.rounds() if neighbour else 0
        except BaseException:
            self._print_log()
            self._kill()
            raise

    def _warm_up(self):
        calm = len(self.workers())
        for _ in range(3):
            attack.Front(self.path, "neighbour").close()
        wait_until(lambda: len(self.workers()) == calm, "sessions of the warm-up end")
        settled(lambda: descriptors(self.pid), "the daemon's descriptors")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if not kind:
                self._assert_calm()
        except BaseException:
            kind = Failed
            raise
        finally:
            if kind:
                self._print_log()
            self._kill()

    # --- what the tests look at

    def front(self, export, pages=65, **more):
        return attack.Front(self.path, export, pages, **more)

    def workers(self):
        return children(self.pid)

    def worker_of(self, action):
        """The worker that @action starts, as (its pid, what @action returned)."""
        before = set(self.workers())
        result = action()
        wait_until(lambda: len(set(self.workers()) - before) == 1, "one worker for one session")
        return (set(self.workers()) - before).pop(), result

    def log(self):
        with open(self.log_path, errors="surrogateescape") as f:
            return f.read()

    def expect_log(self, pattern, times=1):
        wait_until(lambda: len(re.findall(pattern, self.log())) >= times,
                   "%r in the log" % pattern, 15)

    # --- the end

    def _assert_calm(self):
        check(self.process.poll() is None, "the daemon lives")
        if self.neighbour:
            self.neighbour.served_meanwhile(self.calm_rounds)
        wait_until(lambda: len(self.workers()) == self.calm_workers,
                   "workers are back to %d" % self.calm_workers, 15)
        wait_until(lambda: descriptors(self.pid) <= self.calm_fds,
                   "descriptors are back to %d" % self.calm_fds, 15)
        rss = rss_kb(self.pid)
        check(rss <= self.calm_rss + slack_kb(self.pid),
              "memory is back: %d kB, was %d kB" % (rss, self.calm_rss))
        if self.neighbour:
            self.neighbour.end()
            check(not self.neighbour.errors(),
                  "the neighbour had an error: " + self.neighbour.reason())
            self.neighbour = None
        self.process.send_signal(signal.SIGTERM)
        equal(self.process.wait(DEADLINE), 0, "exit code of the daemon")
        found = SANITIZERS.search(self.log())
        check(not found, "no sanitizer speaks and no worker dies: %r" % found)

    def _print_log(self):
        lines = self.log().splitlines()
        print("--- log of the daemon, its end (%d lines)" % len(lines))
        print("\n".join(lines[-40:]).encode(errors="backslashreplace").decode())

    def _kill(self):
        if self.neighbour:
            self.neighbour.end()
        pids = self.workers() + [self.pid] if self.process.poll() is None else []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()


class Victim:
    """The victim program of the F rows, and what it prints, line by line."""

    def __init__(self, test, good, path, steps, timeout_ms=20000, queues=0):
        line = [PROGRAMS + "hostile-victim", "-t", str(timeout_ms)]
        if queues:  # dialect 3
            line += ["-q", str(queues)]
        if good:
            line += ["-g", "shm:" + good.path, "neighbour"]
        self.process = subprocess.Popen(line + ["shm:" + path, "attacked"] + steps,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        self.good = good
        self.lines = []
        self.change = threading.Condition()
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()
        test.at_end(self._kill)

    def _collect(self):
        for raw in self.process.stdout:
            with self.change:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.change.notify_all()

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.process.stdin.close()

    def text(self):
        with self.change:
            return "\n".join(self.lines)

    def wait_line(self, start, times=1, timeout=DEADLINE):
        wait_until(lambda: sum(x.startswith(start) for x in self.text().split("\n")) >= times,
                   "%r %d times from the victim, which said:\n%s" % (start, times, self.text()),
                   timeout)

    def go_on(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def results(self, step):
        return [int(x.split(" = ")[1]) for x in self.text().split("\n")
                if x.startswith(step + " = ")]

    def result(self, step):
        found = self.results(step)
        check(found, "the victim prints %r, it said:\n%s" % (step, self.text()))
        return found[0]

    def finish(self, poisoned=None, timeout=DEADLINE):
        """It ends by itself, well and clean; @poisoned: the reason that it must have named."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed("the victim ends; it said:\n" + self.text()) from None
        self.thread.join()
        text = self.text()
        equal(code, 0, "exit code of the victim, which said:\n" + text + "\n")
        check(not SANITIZERS.search(text), "no sanitizer speaks:\n" + text)
        fds = re.search(r"^fds = (\d+) then (\d+)$", text, re.M)
        equal(fds.group(2), fds.group(1), "the victim's descriptors are back")
        heap = re.search(r"^heap = (\d+) then (\d+)$", text, re.M)
        check(int(heap.group(2)) <= int(heap.group(1)) + SLACK_HEAP,
              "the victim's memory is back: " + heap.group())
        if self.good:
            good = re.search(r"^good = (\d+) rounds (\d+) errors$", text, re.M)
            check(int(good.group(1)) >= 1, "its other session was served:\n" + text)
            equal(good.group(2), "0", "errors of its other session")
        reasons = re.findall(r"^poisoned = (.*)$", text, re.M)
        if poisoned is None:
            equal(reasons, [], "no session of the victim is poisoned")
        else:
            check(reasons and all(re.search(poisoned, r) for r in reasons),
                  "the reason matches %r: %r" % (poisoned, reasons))


class Test:
    """Scratch folders and victims of one test."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def at_end(self, function, *args):
        self.stack.callback(function, *args)

    def folder(self):
        path = tempfile.mkdtemp(prefix="fsif-hostile-")
        os.chmod(path, 0o755)
        self.at_end(shutil.rmtree, path, True)
        return path

    def tree(self):
        """An export's folder with a few files."""
        path = self.folder()
        os.mkdir(path + "/d")
        for name, text in (("file", bytes(range(256)) * 16), ("d/f", b"abc"), ("s", b"12345")):
            with open(path + "/" + name, "wb") as f:
                f.write(text)
        return path

    def daemon(self, exports, arguments=(), **more):
        return Daemon(self, exports, arguments, **more)

    @contextlib.contextmanager
    def good(self):
        """A well-behaved backend for the victim's other session."""
        with self.daemon({}, neighbour=False) as d:
            yield d

    def run_program(self, name, *arguments, timeout=DEADLINE):
        """An attacker in C. Returns what it said; a code other than 0 is a failure."""
        done = subprocess.run([PROGRAMS + name] + [str(a) for a in arguments], timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode(errors="replace")
        print(text.rstrip())
        equal(done.returncode, 0, "%s %s: %s" % (name, " ".join(map(str, arguments)), text))
        return text


def need_root():
    if os.geteuid() != 0:
        raise Skipped("needs root")


def mount(kind, source, where, options=""):
    need_root()
    line = ["mount", "-t", kind] + (["-o", options] if options else []) + [source, where]
    done = subprocess.run(line, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Skipped("cannot mount %s: %s" % (kind, done.stderr.decode().strip()))


def unmount(where):
    subprocess.run(["umount", "-l", where], stderr=subprocess.DEVNULL, check=False)


def run(name):
    """One row. Returns the exit code of the test."""
    test = Test()
    try:
        with test.stack:
            ROWS[name](test)
    except Skipped as why:
        print("SKIP: %s" % why)
        return 77
    print("%s: passed" % name)
    return 0


def main(arguments):
    if len(arguments) == 2 and arguments[1] == "--list":
        print("\n".join(ROWS))
        return 0
    if len(arguments) != 2 or arguments[1] not in ROWS:
        sys.stderr.write("usage: run.py ROW | --list\n")
        return 2
    return run(arguments[1])
