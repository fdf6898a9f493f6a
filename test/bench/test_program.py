#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_program.py SOURCE BUILD: run.sh measures, and leaves nothing behind. No figure is judged."""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import report

ROWS = ["read-4k", "read-4k-32", "read-1m", "write-1m", "stat", "open", "create", "remove", "list", "small"]
CANNOT = {("fuse", "small")}


def mounts():
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if "fsif-bench" in line]


def processes(wanted):
    """Namespaces, by number, of the processes with wanted(words, namespaces, status)"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                words = f.read()
            with open("/proc/%s/status" % pid, encoding="utf-8", errors="replace") as f:
                status = f.read()
            spaces = {os.readlink("/proc/%s/ns/%s" % (pid, kind)) for kind in ("pid", "net")}
        except OSError:
            continue  # it has ended
        if words and wanted(words, spaces, status):
            found[int(pid)] = spaces
    return found


def scratch_of(run):
    """The folder of the fsif-bench that this run.sh has started"""
    parent = "PPid:\t%d\n" % run.pid
    child, = processes(lambda words, _, status: "--dir" in words and parent in status)
    with open("/proc/%d/cmdline" % child, encoding="utf-8") as f:
        words = f.read().split("\0")
    return os.path.dirname(words[words.index("--dir") + 1])


def check_interrupted(run):
    """No server is left, nor what it started in a namespace of its own. The test's limit ends the waiting."""
    with tempfile.TemporaryFile("a+") as said, subprocess.Popen(run, stdout=said, stderr=said) as p:
        text = ""
        while "round 1 of" not in text:
            time.sleep(0.01)
            said.seek(0)
            text = said.read()
            assert p.poll() is None, text
        scratch = scratch_of(p)
        spaces = set().union(*processes(lambda words, *_: scratch in words).values())
        spaces -= {os.readlink("/proc/self/ns/" + kind) for kind in ("pid", "net")}
        p.send_signal(signal.SIGTERM)
        assert p.wait() == 143
    while processes(lambda words, some, _: scratch in words or some & spaces):
        time.sleep(0.01)
    assert not os.path.exists(scratch)


def main():
    source, build = sys.argv[1:]
    words = subprocess.run([source + "/test/bench/run.sh", "--help"], check=True, capture_output=True, text=True).stdout
    assert set(report.PEERS) <= set(words.replace(";", " ").split()), words
    before = set(glob.glob("/dev/shm/fsif-bench.*"))
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/run.json"
        subprocess.run([source + "/test/bench/run.sh", "--build", build, "--quick", "--rounds", "1",
                        "--no-extras", "--rows", ",".join(ROWS), "--json", out,
                        "--svg", folder + "/run.svg"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out) as f:
            result = json.load(f)
        assert os.path.getsize(folder + "/run.svg") > 1000
    check_interrupted([source + "/test/bench/run.sh", "--build", build, "--quick", "--rounds", "64",
                       "--no-extras", "--modes", "S"])
    modes = {r["mode"] for r in result["rows"]}
    assert modes == ({"S", "X"} if len(os.sched_getaffinity(0)) > 1 else {"S"}), modes
    for mode in modes:
        rows = {r["row"]: r for r in result["rows"] if r["mode"] == mode}
        for name in ROWS:
            for key in ("plain_ns", "confined_ns", "ours_ns"):
                assert len(rows[name][key]) == 1 and rows[name][key][0] > 0, (name, mode, key)
        skipped = {skip["target"] for skip in result["skipped"] if skip["mode"] == mode}
        for peer in set(report.PEERS) - skipped:
            assert all(rows[name]["peer_ns"].get(peer) for name in ROWS if (peer, name) not in CANNOT), (peer, mode)
        for skip in result["skipped"]:
            assert not any(skip["target"] in r["peer_ns"] for r in rows.values() if r["mode"] == skip["mode"])
    left = set(glob.glob("/dev/shm/fsif-bench.*")) - before
    assert not left and not mounts(), (left, mounts())
    for skip in result["skipped"]:
        print("left out in mode %(mode)s: %(target)s: %(why)s" % skip)


if __name__ == "__main__":
    main()
