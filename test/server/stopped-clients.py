# SPDX-License-Identifier: MIT
"""A client that is stopped or killed at any step of its life harms nobody else."""
import os
import signal
import sys
import traceback
from testlib import Daemon, Front, alive, main, wait_until, works


def life(path, step):
    """A client that goes as far as @step and says so. Never returns."""
    def reached(name):
        if name == step:
            print(name, flush=True)
            signal.pause()

    front = Front(path)
    reached("connected")
    front.share()
    reached("shared")
    front.offer_exports()
    reached("asked-for-exports")
    front.receive()
    reached("has-exports")
    front.offer_session("s")
    reached("offered-session")
    front.started(front.receive())
    reached("has-session")
    handle = front.create("x%d" % os.getpid())
    reached("created")
    for i in range(32):
        front.put_read(i, handle, 4096)
    reached("filled-slots")
    front.publish_silently()
    reached("published-no-bell")
    front.ring()
    reached("rang")
    first = front.wait(1)
    reached("first-answer")
    front.wait(32 - len(first))
    reached("all-answers")
    front.put_write(0, handle, b"x" * 4096)
    front.put_list(1)
    front.put_open(2, "x")
    front.put_directory(3, "dir%d" % os.getpid())
    front.publish()
    reached("mixed-in-flight")
    front.wait(4)
    reached("mixed-answered")
    front.sock.shutdown(2)
    reached("socket-shut")
    sys.exit(0)


STEPS = ["connected", "shared", "asked-for-exports", "has-exports", "offered-session",
         "has-session", "created", "filled-slots", "published-no-bell", "rang", "first-answer",
         "all-answers", "mixed-in-flight", "mixed-answered", "socket-shut"]


def start(path, step):
    end, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(begin, 1)
        try:
            life(path, step)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(begin)
    with open(end) as f:
        assert f.readline() == step + "\n", step
    return pid


def every_step(folder):
    with Daemon(folder, "-e", "s=slow:20", "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        works(daemon.socket, "m")
        wait_until(lambda: daemon.descriptors() == begin, "nothing is left of the first session")
        for step in STEPS:
            pid = start(daemon.socket, step)
            os.kill(pid, signal.SIGSTOP)
            works(daemon.socket, "m")
            works(daemon.socket, "m")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            wait_until(lambda: not daemon.workers(), "no worker after " + step)
            wait_until(lambda: daemon.descriptors() == begin, "no descriptor after " + step)
        assert daemon.process.poll() is None
        assert daemon.stop() == 0
        daemon.assert_clean()


def all_at_once(folder):
    """Every step at the same time, killed in another order than they came."""
    with Daemon(folder, "-e", "s=slow:20", "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        pids = [start(daemon.socket, step) for step in STEPS]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        works(daemon.socket, "m")
        for pid in pids[1::2] + pids[::2]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        wait_until(lambda: not daemon.workers(), "no worker is left")
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")
        works(daemon.socket, "m")
        assert daemon.stop() == 0


def stopped_at_sigterm(folder):
    """A stopped client does not keep the daemon from ending in order."""
    with Daemon(folder, "-e", "s=slow:20", "-e", "m=memory:") as daemon:
        pids = [start(daemon.socket, step) for step in ("connected", "has-session", "rang")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        workers = daemon.workers()
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert not any(alive(pid) for pid in workers)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


main([every_step, all_at_once, stopped_at_sigterm])
