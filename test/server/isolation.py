# SPDX-License-Identifier: MIT
"""A worker's death is one session's end; the supervisor's death is every worker's."""
import os
import signal
from testlib import Daemon, Front, alive, main, wait_until, works


def two_sessions(daemon):
    first = Front(daemon.socket)
    assert first.session("m")["status"] == "0"
    before = daemon.workers()
    second = Front(daemon.socket)
    assert second.session("m")["status"] == "0"
    after = daemon.workers()
    assert len(before) == 1 and len(after) == 2, (before, after)
    return first, second, before[0], (set(after) - set(before)).pop()


def killed_worker(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        first, second, one, other = two_sessions(daemon)
        os.kill(one, signal.SIGKILL)
        assert first.hung_up()
        assert second.create("x") >= 0
        daemon.wait_log("session-end session=1 .*died of signal 9")
        wait_until(lambda: daemon.workers() == [other], "the worker is reaped")
        works(daemon.socket, "m")
        second.close()
        wait_until(lambda: not daemon.workers(), "the last worker is reaped")
        assert daemon.stop() == 0


def killed_supervisor(folder):
    with Daemon(folder, "-e", "m=memory:", "-e", "s=slow:60000") as daemon:
        first, second, one, other = two_sessions(daemon)
        third = Front(daemon.socket)
        assert third.session("s")["status"] == "0"
        workers = daemon.workers()
        assert len(workers) == 3
        handle = third.create("x")
        third.put_write(0, handle, b"x")
        third.publish()
        daemon.process.kill()
        for front in (first, second, third):
            assert front.hung_up()
        for pid in workers:
            wait_until(lambda: not alive(pid), "the worker ends with its supervisor")


def after_crash(folder):
    """The socket file that a killed daemon leaves does not stop the next one."""
    with Daemon(folder, "-e", "m=memory:") as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert os.path.exists(daemon.socket)
    with Daemon(folder, "-e", "m=memory:") as daemon:
        works(daemon.socket, "m")
        assert daemon.stop() == 0
        daemon.assert_clean()


def descriptors_of_workers(folder):
    """A worker holds nothing of the supervisor or of another session."""
    open_here = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(open_here, True)
    os.mkdir(folder + "/d")
    with Daemon(folder, "-e", "m=memory:", "-e", "d=" + folder + "/d",
                pass_fds=[open_here]) as daemon:
        first, _, one, other = two_sessions(daemon)
        for pid in (one, other):
            links = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                     for fd in os.listdir("/proc/%d/fd" % pid)]
            assert "/etc/hostname" not in links, links
            assert folder + "/d" not in links, links
            assert sum(link.startswith("socket:") for link in links) == 2, links
            with open("/proc/%d/status" % pid) as f:
                status = f.read()
            assert "NoNewPrivs:\t1" in status
        assert first.create("x") >= 0


main([killed_worker, killed_supervisor, after_crash, descriptors_of_workers])
