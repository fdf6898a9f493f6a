# SPDX-License-Identifier: MIT
"""SIGTERM: what is in flight is answered, then nothing is left."""
import os
import signal
import subprocess
from testlib import DRIVE, Daemon, Front, alive, main, wait_until


def drive(daemon, export, sessions, calls):
    p = subprocess.Popen([DRIVE, "shm:" + daemon.socket, export, str(sessions), str(calls)],
                         stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"submitted\n"
    return p


def in_flight(folder, sessions, calls, number):
    with Daemon(folder, "-e", "s=slow:400") as daemon:
        p = drive(daemon, "s", sessions, calls)
        workers = daemon.workers()
        assert len(workers) == sessions, workers
        assert daemon.stop(number) == 0
        out = p.stdout.read().decode()
        assert p.wait(30) == 0, out
        assert "answered %d good %d of %d" % ((sessions * calls,) * 3) in out, out
        daemon.assert_clean()
        assert not any(alive(pid) for pid in workers)
        return int(out.split(" in ")[1].split()[0])


def one_session(folder):
    # They ran at once: one after the other they would have taken 32 times as long.
    assert in_flight(folder, 1, 32, signal.SIGTERM) < 32 * 400 / 2


def several_sessions(folder):
    in_flight(folder, 4, 32, signal.SIGTERM)


def more_than_threads(folder):
    in_flight(folder, 1, 63, signal.SIGINT)


def idle(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        front = Front(daemon.socket)
        assert front.session("m")["status"] == "0"
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert front.hung_up()


def hang_up(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        assert daemon.stop(signal.SIGHUP) == 0
        daemon.assert_clean()
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Daemon(folder, "-e", "m=memory:", preexec_fn=ignore) as daemon:
        os.kill(daemon.pid, signal.SIGHUP)
        front = Front(daemon.socket)
        assert front.session("m")["status"] == "0"
        assert daemon.stop() == 0


def in_handshake(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        silent, listed = Front(daemon.socket), Front(daemon.socket)
        assert listed.exports() == ["m rw"]
        wait_until(lambda: len(daemon.workers()) == 2, "both have a worker")
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert silent.hung_up() and listed.hung_up()


def refuses_new_peers(folder):
    with Daemon(folder, "-e", "s=slow:500") as daemon:
        p = drive(daemon, "s", 1, 4)
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_log("event=stopping")
        wait_until(lambda: not os.path.exists(daemon.socket), "the socket is removed at once")
        daemon.assert_clean()
        assert p.wait(30) == 0


def stop_timeout(folder):
    with Daemon(folder, "-e", "s=slow:600000", "--stop-timeout", "1") as daemon:
        p = drive(daemon, "s", 2, 4)
        workers = daemon.workers()
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert not any(alive(pid) for pid in workers)
        assert "event=stop-timeout" in daemon.log()
        assert p.wait(30) == 1


def second_signal(folder):
    with Daemon(folder, "-e", "s=slow:600000", "--stop-timeout", "3600") as daemon:
        p = drive(daemon, "s", 2, 4)
        workers = daemon.workers()
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_log("event=stopping")
        assert daemon.stop() == 0
        daemon.assert_clean()
        assert not any(alive(pid) for pid in workers)
        assert p.wait(30) == 1


def worker_alone(folder):
    """SIGTERM to one worker drains that session only."""
    with Daemon(folder, "-e", "s=slow:300") as daemon:
        p = drive(daemon, "s", 1, 32)
        worker, = daemon.workers()
        other = Front(daemon.socket)
        assert other.session("s")["status"] == "0"
        os.kill(worker, signal.SIGTERM)
        out = p.stdout.read().decode()
        assert p.wait(30) == 0, out
        assert other.create("x") >= 0
        daemon.wait_log("session-end session=1 ")
        assert daemon.stop() == 0


def slow_does_not_delay(folder):
    """While one request hangs in the store the others of its session are served."""
    with Daemon(folder, "-e", "s=slow:20000") as daemon:
        front = Front(daemon.socket)
        assert front.session("s")["status"] == "0"
        handle = front.create("x")
        front.put_write(1, handle, b"x")
        front.publish()
        for _ in range(10):
            front.put_stat(0, handle)
            front.publish()
            assert front.wait(1) == [(0, 0)]


main([one_session, several_sessions, more_than_threads, idle, hang_up, in_handshake, refuses_new_peers,
      stop_timeout, second_signal, worker_alone, slow_does_not_delay])
