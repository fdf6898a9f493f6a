# SPDX-License-Identifier: MIT
"""Limits: who goes beyond them is told so, and the others are served."""
import os
import resource
from testlib import EAGAIN, EPROTO, Daemon, Front, main, wait_until, works


def refused(front):
    """The answer of a daemon that has no room."""
    answer = front.session("m")
    return answer is not None and answer["status"] == str(EAGAIN)


def fill(daemon, count):
    fronts = [Front(daemon.socket) for _ in range(count)]
    for front in fronts:
        assert front.session("m")["status"] == "0"
    return fronts


def sessions(folder, option="--max-sessions"):
    with Daemon(folder, "-e", "m=memory:", option, "3") as daemon:
        begin = daemon.descriptors()
        fronts = fill(daemon, 3)
        extra = Front(daemon.socket)
        assert refused(extra)
        assert extra.hung_up()
        assert fronts[0].create("x") >= 0
        daemon.wait_log("event=limit")
        fronts.pop().close()
        wait_until(lambda: len(daemon.workers()) == 2, "one worker less")
        works(daemon.socket, "m")
        for front in fronts:
            front.close()
        wait_until(lambda: not daemon.workers(), "no worker is left")
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")
        assert daemon.stop() == 0


def sessions_of_a_peer(folder):
    sessions(folder, "--max-sessions-per-peer")


def many_refused(folder):
    """Those that are refused cost little: at most a handful of processes at once."""
    with Daemon(folder, "-e", "m=memory:", "--max-sessions", "2") as daemon:
        fronts = fill(daemon, 2)
        crowd = [Front(daemon.socket) for _ in range(100)]
        daemon.wait_log("event=limit")
        assert len(daemon.workers()) <= 2 + 8, daemon.workers()
        for front in crowd:
            front.close()
        wait_until(lambda: len(daemon.workers()) == 2, "the refused ones are gone")
        assert fronts[1].create("x") >= 0
        fronts[0].close()
        wait_until(lambda: len(daemon.workers()) == 1, "one worker less")
        works(daemon.socket, "m")


def silent_peer(folder):
    """A peer that says nothing, or stops half way, loses its place."""
    with Daemon(folder, "-e", "m=memory:", "--handshake-timeout", "1") as daemon:
        silent, listing = Front(daemon.socket), Front(daemon.socket)
        assert listing.exports() == ["m rw"]
        works(daemon.socket, "m")
        assert silent.hung_up(10)
        assert listing.hung_up(10)
        daemon.wait_log("did not start its session in time")
        wait_until(lambda: not daemon.workers(), "no worker is left")


def pages(folder):
    with Daemon(folder, "-e", "m=memory:", "--max-pages", "65") as daemon:
        front = Front(daemon.socket)
        assert front.session("m", 66)["status"] != "0"
        daemon.wait_log("memory-refused")
        works(daemon.socket, "m")


def garbage(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        for packet in b"x", b"a=1\na=2\n", b"\0" * 100, b"fsif=1\n", b"x" * 6000:
            front = Front(daemon.socket)
            front.send(packet)
            answer = front.receive()
            assert answer is None or answer["status"] == str(EPROTO), (packet, answer)
            assert answer is None or front.hung_up()
        works(daemon.socket, "m")
        wait_until(lambda: not daemon.workers(), "no worker is left")


def few_descriptors(folder):
    """Out of descriptors: the daemon goes on when some are free again."""

    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))

    with Daemon(folder, "-e", "m=memory:", preexec_fn=lower) as daemon:
        begin = daemon.descriptors()
        crowd = []
        for _ in range(120):
            front = Front(daemon.socket)
            crowd.append(front)
        daemon.wait_log("accept-failed|worker-not-started")
        assert daemon.process.poll() is None
        for front in crowd:
            front.close()
        wait_until(lambda: not daemon.workers(), "no worker is left")
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")
        works(daemon.socket, "m")
        assert daemon.stop() == 0


def handles(folder):
    with Daemon(folder, "-e", "m=memory:,handles=4") as daemon:
        front = Front(daemon.socket)
        assert front.session("m")["status"] == "0"
        opened = [front.create("f%d" % i) for i in range(5)]
        assert min(opened[:4]) >= 0 and opened[4] == -24, opened
        assert front.write(opened[0], b"x") == 1


def flood_of_logs(folder):
    with Daemon(folder, "-e", "m=memory:") as daemon:
        for _ in range(60):
            front = Front(daemon.socket)
            front.send(b"junk")
            front.receive()
            front.close()
        wait_until(lambda: not daemon.workers(), "no worker is left")
        assert daemon.log().count("\n") < 60, daemon.log()
        works(daemon.socket, "m")
        daemon.wait_log("session-begin")


def hostile_names(folder):
    """No name that a peer gives writes a line or a key of its own into the log."""
    with Daemon(folder, "-e", "m=memory:") as daemon:
        front = Front(daemon.socket)
        front.share()
        front.send(b"fsif=1\nrequest=session\nexport=x event=listening\ndialects=1\nfeatures=errno\n"
                   b"pages=65\nring-pages=1\nring-ref=0\n", [front.memfd])
        answer = front.receive()
        assert answer is None or answer["status"] != "0"
        assert daemon.log().count("event=listening") == 1


main([sessions, sessions_of_a_peer, many_refused, silent_peer, pages, garbage, few_descriptors,
      handles, flood_of_logs, hostile_names])
