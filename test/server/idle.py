# SPDX-License-Identifier: MIT
"""A session that has nothing to do makes no system call, however it is set to wait."""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from testlib import Daemon, main, skip, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import peer_wire3 as w
from peer_front3 import Peer3

QUIET = 10
TRIES = 4

if not shutil.which("strace"):
    skip("needs strace")


def calls(folder, pids, seconds):
    """System calls that the processes began or ended within the time."""
    out = folder + "/strace"
    words = [word for pid in pids for word in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", "-ttt", "-o", out] + words, stderr=subprocess.PIPE) as p:
        line = b""
        for _ in pids:  # a line each, once it is attached
            line = p.stderr.readline()
            if b"attached" not in line:
                break
        if b"attached" not in line:
            p.kill()
            skip("strace may not attach: " + line.decode().strip())
        begin = time.time()
        time.sleep(seconds)  # nothing is waited for: that is the test
        end = time.time()
        p.send_signal(signal.SIGINT)
    with open(out) as f:
        lines = [re.match(r"(\d+ +)?([\d.]+) (.*)", line) for line in f]
    # What each thread was in when it was attached is told once, and cut off at the end.
    return [m.group(3) for m in lines if m and begin + 0.5 < float(m.group(2)) < end - 0.1]


def assert_sees(folder, daemon, s):
    """The instrument works: a request that comes now and then is seen."""
    end = time.monotonic() + 2

    def now_and_then():
        while time.monotonic() < end:
            s.nop()
            time.sleep(0.02)

    thread = threading.Thread(target=now_and_then)
    thread.start()
    found = calls(folder, daemon.workers(), 1)
    thread.join()
    assert found


def silence(folder, pids):
    """The machine may be busy with others; that what was going on ends is all that is waited for."""
    found = []
    for _ in range(TRIES):
        found = calls(folder, pids, 1)
        if not found:
            break
    found = calls(folder, pids, QUIET)
    assert not found, "\n".join(found[:20])


def idle(folder, *options):
    os.makedirs(folder + "/x/d")
    with Daemon(folder, "-e", "x=%s/x" % folder, "-e", "m=memory:", *options) as daemon:
        with Peer3(daemon.socket).session3("x", queues=4, arena_pages=64) as s:
            handle = s.open("f", w.CREAT | w.RDWR)
            for i in range(200):
                s.write(handle, b"x" * 4096, i)
                s.nop(i % 4)
            s.export("m")
            assert_sees(folder, daemon, s)
            silence(folder, [daemon.pid] + daemon.workers())
            s.nop(3)
            assert s.read(handle, 10) == b"x" * 10


def sleeping(folder):
    idle(folder, "--spin", "0")


def spinning(folder):
    idle(folder, "--spin", "1000")


def listening(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        wait_until(lambda: not daemon.workers(), "no worker")
        silence(folder, [daemon.pid])


main([sleeping, spinning, listening])
