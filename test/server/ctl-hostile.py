# SPDX-License-Identifier: MIT
"""The control socket against clients that make no sense, do not read, crowd it or are strangers."""
import os
import random
import signal
import socket
import subprocess
import threading
from ctllib import FSIFCTL, NOSUPPORT, PROTO, Controlled, Operator
from testlib import DEADLINE, Front, main, skip, wait_until, works

if not os.path.exists(FSIFCTL):
    skip("fsifctl was not built")


def fine(daemon):
    """It serves, and answers an operator."""
    works(daemon.socket, "m")
    assert "m" in daemon.exports()


def garbage(folder):
    rng = random.Random(1)
    with Controlled(folder, "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        packets = [b"x", b"\n", b"\0" * 4000, b"=\n", b"control", b"control=1", b"a=b\na=c\n",
                   b"control=1\nrequest=\x1b[2J\n", bytes(range(256)), b"control=1\n" * 400,
                   b"x" * 60000]
        packets += [rng.randbytes(rng.randrange(1, 5000)) for _ in range(200)]
        for packet in packets:
            operator = Operator(daemon.control)
            operator.send(packet)
            answer = operator.receive()
            assert answer is None or answer["status"] == PROTO, (packet[:40], answer)
            operator.close()
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")
        fine(daemon)


def versions(folder):
    with Controlled(folder, "-e", "m=memory:") as daemon:
        operator = Operator(daemon.control)
        for packet, status in ((b"control=2\nrequest=exports\n", NOSUPPORT),
                               (b"control=0\nrequest=exports\n", NOSUPPORT),
                               (b"control=01x\nrequest=exports\n", PROTO),
                               (b"request=exports\n", PROTO),
                               (b"control=1\n", NOSUPPORT),
                               (b"control=1\nrequest=frob\n", NOSUPPORT)):
            operator.send(packet)
            answer = operator.receive()
            assert answer["status"] == status and answer["text"], (packet, answer)
            assert answer["control"] == "1"
        # The connection lives on.
        assert operator.ask(request="exports", after="")["export"] == "m"
        assert operator.ask(request="exports", after="m")["end"] == "1"
        operator.close()


def bad_requests(folder):
    long = "x" * 255
    with Controlled(folder, "-e", "m=memory:") as daemon:
        operator = Operator(daemon.control)
        for keys in (dict(request="export"), dict(request="export", export="../x"),
                     dict(request="export", export=long), dict(request="exports", after=long),
                     dict(request="add", export="n"), dict(request="add", export="n", spec_0="6"),
                     dict(request="add", export="n", spec_0="00"),
                     dict(request="add", export="n", spec_0="zz"),
                     dict(request="add", export="n", spec_0="2c"),
                     dict(request="allow", export="m"),
                     dict(request="allow", export="m", subject=long),
                     dict(request="allow", export="m", subject="uid:4294967295"),
                     dict(request="allow", export="m", subject="domain:32752"),
                     dict(request="allow", export="m", subject="uid:1", set_0=long),
                     dict(request="deny", export="m", subject="uid:77"),
                     dict(request="change", export="m", set_0="source=/"),
                     dict(request="end"), dict(request="end", session="99999999999999999999999"),
                     dict(request="entries", export="n")):
            answer = operator.ask(**keys)
            assert answer["status"] != "0" and answer["text"], (keys, answer)
        assert operator.ask(request="sessions", after="x")["end"] == "1"
        operator.close()
        fine(daemon)


def descriptors(folder):
    """Descriptors that nobody asked for are closed."""
    with Controlled(folder, "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        for _ in range(20):
            operator = Operator(daemon.control)
            socket.send_fds(operator.sock, [b"control=1\nrequest=exports\nafter=\n"], [0, 1, 2])
            assert operator.receive()["status"] == PROTO
            operator.close()
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")


def stalled(folder):
    """Clients that send nothing, or never read, hold nobody up."""
    with Controlled(folder, "-e", "m=memory:") as daemon:
        quiet = [Operator(daemon.control) for _ in range(20)]
        flood = Operator(daemon.control)
        flood.sock.settimeout(0.5)
        try:
            for _ in range(100000):
                flood.send(b"control=1\nrequest=exports\nafter=\n")
        except (TimeoutError, ConnectionError):
            pass
        else:
            assert False, "the daemon reads and reads"
        fine(daemon)
        # It is hung up on, after what was sent to it.
        flood.sock.settimeout(DEADLINE)
        while flood.receive() is not None:
            pass
        for operator in quiet + [flood]:
            operator.close()


def crowd(folder):
    """A thousand connections: bounded descriptors, and the operator still gets in."""
    with Controlled(folder, "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        many = []
        for _ in range(1000):
            many.append(Operator(daemon.control))
        fine(daemon)
        assert daemon.descriptors() <= begin + 33, daemon.descriptors() - begin
        for operator in many:
            operator.close()
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")


def short_of_descriptors(folder):
    with Controlled(folder, "-e", "m=memory:") as daemon:
        # Room for two clients beside what is open.
        limit = max(int(fd) for fd in os.listdir("/proc/%d/fd" % daemon.pid)) + 3
        import resource
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (limit, limit))
        many = [Operator(daemon.control) for _ in range(20)]
        for operator in many:
            operator.close()
        wait_until(lambda: daemon.exports(), "it answers again")


def strangers(folder):
    if os.geteuid() != 0:
        return print("SKIP: needs root to become other users")
    with Controlled(folder, "-e", "m=memory:") as daemon:
        done = subprocess.run(["setpriv", "--reuid", "7001", "--regid", "7001", "--clear-groups",
                               FSIFCTL, "--control", daemon.control, "list"],
                              capture_output=True, text=True)
        assert done.returncode == 1 and "for root" in done.stderr, done
        # Somebody made the file accessible: then the credentials are looked at.
        os.chmod(daemon.control, 0o666)
        done = subprocess.run(["setpriv", "--reuid", "7001", "--regid", "7001", "--clear-groups",
                               FSIFCTL, "--control", daemon.control, "list"],
                              capture_output=True, text=True)
        assert done.returncode == 1 and "hung up" in done.stderr, done
        daemon.wait_log("event=control-denied")
        fine(daemon)


def killed_in_the_middle(folder):
    """fsifctl and clients that die at any moment leave whole requests, or nothing of them."""
    with Controlled(folder, "-e", "m=memory:") as daemon:
        begin = daemon.descriptors()
        for i in range(30):
            process = subprocess.Popen([FSIFCTL, "--control", daemon.control, "export", "add",
                                        "n%d=memory:" % i])
            threading.Event().wait(0.0003 * i)
            process.send_signal(signal.SIGKILL)
            process.wait()
        operator = Operator(daemon.control)
        operator.send(b"control=1\nrequest=refresh\n")
        operator.close()
        wait_until(lambda: daemon.descriptors() == begin, "no descriptor is left")
        for name in daemon.exports():
            works(daemon.socket, name)


def two_at_once(folder):
    """Many programs change the same daemon: each change is whole, and every list is in order."""
    with Controlled(folder, "-e", "m=memory:") as daemon:
        def work(number):
            for i in range(8):
                name = "e%d-%d" % (number, i)
                daemon.ctl("export", "add", name + "=memory:")
                daemon.ctl("allow", "uid:%d" % (100 + i), name)
                names = list(daemon.exports())
                assert names == sorted(names) and name in names
                if i % 2:
                    daemon.ctl("export", "remove", name)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        failures = []
        threading.excepthook = lambda what: failures.append(what)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        assert len(daemon.exports()) == 1 + 4 * 4


def stops_meanwhile(folder):
    with Controlled(folder, "-e", "m=memory:") as daemon:
        operators = [Operator(daemon.control) for _ in range(5)]
        front = Front(daemon.socket)
        assert front.session("m")["status"] == "0"
        worker, = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        operators[0].send(b"control=1\nrequest=refresh\n")
        daemon.process.send_signal(signal.SIGTERM)
        assert all(o.receive() is None for o in operators[1:])
        os.kill(worker, signal.SIGCONT)
        daemon.assert_clean()


main([garbage, versions, bad_requests, descriptors, stalled, crowd, short_of_descriptors, strangers,
      killed_in_the_middle, two_at_once, stops_meanwhile])
