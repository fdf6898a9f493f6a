#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""idle.py BUILD SECONDS OUT.json: what a session costs that has nothing to do.

Starts a daemon and a client, lets them fall silent and attaches strace to client, worker and supervisor:
whatever system call starts or returns in any of their threads in SECONDS is counted, and so is the
processor time that they take. Then one request is made, which must be seen: else the watch was blind.
Private memory is what /proc/PID/smaps gives for each process, without the session's shared memory.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SETTLE = 1.0


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(word) for word in f.read().split()]


def private_kib(pid):
    """Private pages but those of memory that is shared by descriptor (arena and rings)."""
    total, shared = 0, False
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                shared = "/memfd:fsif" in line
            elif not shared and line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1])
    return total


def ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def threads(pid):
    return len(os.listdir("/proc/%d/task" % pid))


class Watch:
    """strace on some processes, its output in a file."""

    def __init__(self, folder, pids):
        self.path = folder + "/strace"
        self.messages = folder + "/strace.messages"
        arguments = ["strace", "-f", "-o", self.path]
        for pid in pids:
            arguments += ["-p", str(pid)]
        with open(self.messages, "w") as messages:
            self.process = subprocess.Popen(arguments, stderr=messages)
        end = time.monotonic() + 10
        while self.attached() < len(pids):
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.messages) as f:
                    sys.exit("idle.py: strace: " + f.read())
            time.sleep(0.01)

    def attached(self):
        with open(self.messages) as f:
            return f.read().count(" attached")

    def lines(self):
        """Lines that tell of a call; the state that strace found at the start is none."""
        with open(self.path) as f:
            return f.read().splitlines()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def measure(pids, seconds, folder, client):
    before = {name: ticks(pid) for name, pid in pids.items()}
    watch = Watch(folder, pids.values())
    try:
        time.sleep(SETTLE)
        known = len(watch.lines())
        time.sleep(seconds)
        seen = watch.lines()[known:]
        client.stdin.write("more\n")
        client.stdin.flush()
        if client.stdout.readline() != "done\n" or len(watch.lines()) <= known + len(seen):
            sys.exit("idle.py: a request was made and strace did not see it")
    finally:
        watch.stop()
    return {
        "calls": len(seen),
        "first_calls": seen[:5],
        "ticks": sum(ticks(pid) - before[name] for name, pid in pids.items()),
    }


def run(build, seconds, folder):
    os.mkdir(folder + "/data")
    with open(folder + "/data/file", "wb") as f:
        f.write(bytes(4096))
    address = "shm:%s/s" % folder
    daemon = subprocess.Popen(
        [build + "/backends/server/fsif-backend", "--log-level", "error", "--control", "none",
         "-l", address, "-e", "data=%s/data" % folder], stdout=subprocess.PIPE, text=True)
    client = None
    try:
        if "listening" not in daemon.stdout.readline():
            sys.exit("idle.py: the daemon did not start")
        client = subprocess.Popen([build + "/test/bench/bench-idle-client", address],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = client.stdout.readline().split()
        if len(words) != 2 or words[0] != "ready":
            sys.exit("idle.py: no session")
        pids = {"client": client.pid, "supervisor": daemon.pid}
        for number, pid in enumerate(children(daemon.pid)):
            pids["worker%d" % number if number else "worker"] = pid
        private = {name: private_kib(pid) for name, pid in pids.items()}
        result = {"what": "idle", "dialect": int(words[1]), "seconds": seconds,
                  "private_kib": private, "threads": {n: threads(p) for n, p in pids.items()}}
        if shutil.which("strace"):
            result.update(measure(pids, seconds, folder, client))
        else:
            result["why"] = "strace is not there (package strace)"
        return result
    finally:
        if client:
            client.kill()
            client.wait()
        daemon.kill()
        daemon.wait()


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: idle.py BUILD SECONDS OUT.json")
    folder = tempfile.mkdtemp(prefix="fsif-idle-")
    try:
        result = run(sys.argv[1], float(sys.argv[2]), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with open(sys.argv[3], "w") as f:
        json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
