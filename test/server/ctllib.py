# SPDX-License-Identifier: MIT
"""A daemon with a control socket, fsifctl, and a client that speaks to the socket by hand."""
import json
import os
import socket
import subprocess
import time
from testlib import BUILD, DEADLINE, Daemon

FSIFCTL = os.environ.get("FSIFCTL", BUILD + "/backends/server/ctl/fsifctl")
PROTO, NOSUPPORT, ENOENT = "71", "95", "2"


class Controlled(Daemon):
    """A daemon whose control socket is FOLDER/control."""

    def __init__(self, folder, *arguments, **more):
        self.control = folder + "/control"
        super().__init__(folder, "--control", self.control, *arguments, **more)

    def ctl(self, *words, code=0, says=None, **more):
        """Run fsifctl; returns what it printed."""
        done = subprocess.run([FSIFCTL, "--control", self.control, "--plugin-dir", ""] +
                              list(words), capture_output=True, text=True, timeout=DEADLINE, **more)
        assert done.returncode == code, (words, done.returncode, done.stderr, done.stdout)
        assert says is None or says in done.stderr, (words, done.stderr)
        assert code or not done.stderr, done.stderr
        return done.stdout

    def json(self, *words):
        return json.loads(self.ctl("--json", *words))

    def exports(self):
        return {e["export"]: e for e in self.json("list")["exports"]}


class Operator:
    """A client of the control socket, one packet at a time."""

    def __init__(self, path, timeout=DEADLINE):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        end = time.monotonic() + timeout
        while True:
            try:
                self.sock.connect(path)
                return
            except BlockingIOError:  # the backlog is full at the moment
                assert time.monotonic() < end
                time.sleep(0.001)

    def send(self, packet):
        self.sock.send(packet)

    def receive(self):
        """The answer as a dictionary; None: hung up."""
        try:
            packet = self.sock.recv(8192)
        except ConnectionError:
            return None
        return dict(line.split("=", 1) for line in packet.decode().splitlines()) or None

    def ask(self, **keys):
        lines = ["%s=%s" % (k.replace("_", "-"), v) for k, v in keys.items()]
        self.send(("control=1\n" + "\n".join(lines) + "\n").encode())
        return self.receive()

    def close(self):
        self.sock.close()
