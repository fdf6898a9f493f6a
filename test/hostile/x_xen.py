# SPDX-License-Identifier: MIT
"""Rows over the xen transport: the real daemon in domain 0 of a machine that stands for Xen, and
hostile-xen in domain 5. The neighbours are a client over shm and a good guest, domain 6."""
import contextlib
import errno
import os
import signal
import subprocess

from harness import BUILD, PROGRAMS, check, equal, row, wait_until

MACHINE = BUILD + "/test/xen/fake/fake-xen"
PLUGINS = BUILD + "/test/xen/plugins"
EXPORT = "1"


class Machine:
    """fake-xen, with two guests, each attached to an export of its own."""

    def __init__(self, test):
        self.socket = test.folder() + "/machine"
        line = [MACHINE, self.socket]
        for guest in ("5", "6"):
            line += ["create", guest] + self.attachment(guest)
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        test.at_end(self.end)
        check("listening" in self.process.stderr.readline(), "the machine is there")

    @staticmethod
    def attachment(guest):
        return ["attach", guest, EXPORT if guest == "5" else "2", "x" if guest == "5" else "good",
                "rw"]

    def end(self):
        self.process.terminate()
        self.process.wait()
        for f in (self.process.stdin, self.process.stdout, self.process.stderr):
            f.close()

    def command(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().strip()
            check(line not in ("", "what?"), "the machine lives and knows %r" % (words,))
            if line == "ok":
                return lines
            lines.append(line)

    def counts(self):
        return self.command("counts")[0]

    def environment(self, domid):
        return {"FSIF_FAKE_XEN": self.socket, "FSIF_FAKE_XEN_DOMAIN": domid}

    def start(self, domid, *arguments):
        return subprocess.Popen([PROGRAMS + "hostile-xen", *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, **self.environment(domid)})

    def run(self, domid, *arguments):
        process = self.start(domid, *arguments)
        try:
            text = process.communicate(timeout=120)[0]
        finally:
            process.kill()
        print(text.rstrip())
        equal(process.returncode, 0, "%r: %s" % (arguments, text))
        return text


@contextlib.contextmanager
def machine(test, arguments=()):
    """A machine with the daemon; at the end everything is as it was before the attack."""
    m = Machine(test)
    good = test.tree()
    # Domain 5 may be destroyed and made again, and only its UUID outlives that.
    uuid = "00000000-0000-4000-8000-000000000005"
    exports = {"x": test.tree() + ",allow-domain=" + uuid, "good": good + ",allow-domain=6"}
    with test.daemon(exports, ["-l", "xen:all", "--plugin-dir", PLUGINS, *arguments],
                     env=m.environment("0")) as d:
        m.run("6", "good", "2", "2")
        m.run("5", "good", EXPORT, "1")
        workers = len(d.workers())
        wait_until(lambda: len(d.workers()) == 1, "workers of good guests end")
        calm = m.counts()
        yield m, d
        m.run("6", "good", "2", "5")
        wait_until(lambda: len(d.workers()) <= min(workers, 1), "workers end")
        wait_until(lambda: m.counts() == calm,
                   "nodes and handles are back to %s, from %s\n%s" %
                   (calm, m.counts(), "\n".join(m.command("dump"))), 10)


@row("xen.B14")
def churn(test):
    """Sessions that end anywhere, states that flip, rings of an earlier life."""
    with machine(test) as (m, d):
        began = d.neighbour.rounds()
        text = m.run("5", "lives", EXPORT, "300", "14")
        check(int(text.split()[2]) >= 30, "enough sessions ran")
        d.neighbour.served_meanwhile(began)


@row("xen.B15")
def killed(test):
    """The guest's process is killed, or the guest destroyed, with a full ring under way."""
    with machine(test) as (m, d):
        for n in range(6):
            process = m.start("5", "die", EXPORT)
            try:
                equal(process.stdout.readline().strip(), "ready", "its session runs")
                if n % 2:
                    m.command("destroy", "5")
                else:
                    process.send_signal(signal.SIGKILL)
            finally:
                wait_until(lambda: len(d.workers()) == 1, "its worker is gone", 20)
                process.kill()
                process.wait()
                process.stdout.close()
            m.run("6", "good", "2", "1")
            if n % 2:
                m.command("create", "5")
                m.command(*m.attachment("5"))
            else:
                # What a killed process left in its own nodes is the guest's.
                m.run("5", "keys", EXPORT, "0")


@row("xen.B17")
def ring_setup(test):
    """Rings that are no grant, read-only, or another's; channels that are none."""
    with machine(test) as (m, d):
        m.run("5", "ring", EXPORT)
        m.run("5", "good", EXPORT, "1")


@row("xen.B18")
def negotiation(test):
    """Nodes with anything in them, paths of another domain, floods of events."""
    with machine(test) as (m, d):
        began = d.neighbour.rounds()
        for seed in ("1", "2", "3"):
            m.run("5", "keys", EXPORT, "1500", seed)
            m.run("6", "good", "2", "1")
        d.neighbour.served_meanwhile(began)
        check(not any("/local/domain/6/device/vfs/0/" in line for line in m.command("dump")),
              "nothing was written into another guest's nodes")


@row("xen.B18.devices")
def devices(test):
    """The same of the guest's sides of its devices, and the other guest has its own."""
    with machine(test) as (m, d):
        began = d.neighbour.rounds()
        for seed in ("1", "2", "3"):
            m.run("5", "devices", EXPORT, "1500", seed)
            m.run("6", "good", "2", "1")
        d.neighbour.served_meanwhile(began)
        dump = m.command("dump")
        check(not any("/backend/fsif/5/4" in line for line in dump), "no device was made up")
        for n in range(4):
            check(any("/backend/fsif/6/%d/state " % n in line and line.endswith("'2'")
                      for line in dump), "the other guest's device %d waits" % n)


@row("xen.F11")
def vanished(test):
    """The daemon is killed while a client works: EIO, then EPROTO, and a new daemon serves it."""
    m = Machine(test)
    tree = test.tree()
    for _ in range(2):
        environment = {**os.environ, **m.environment("0")}
        daemon = subprocess.Popen([BUILD + "/backends/server/fsif-backend", "-l", "xen:all", "-e",
                                   "x=%s,allow-domain=5" % tree, "--plugin-dir", PLUGINS],
                                  env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        try:
            check("listening" in daemon.stdout.readline(), "the daemon listens")
            client = m.start("5", "vanish", "x")
            equal(client.stdout.readline().strip(), "served", "the client is served")
            daemon.kill()
            text = client.communicate(timeout=60)[0]
        finally:
            daemon.kill()
            daemon.wait()
            daemon.stdout.close()
        equal(client.returncode, 0, text)
        said = [int(line.split(" = ")[1]) for line in text.split("\n") if line]
        # The end may be found in the same look at the ring as the last answer: then no call is
        # under way, and the next one finds the session ended.
        check(said[0] in (-errno.EIO, -errno.EPROTO), "what the first call says: " + text)
        equal(said[1:], [-errno.EPROTO], "what the next one says: " + text)
