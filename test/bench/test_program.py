#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_program.py SOURCE BUILD: run.sh measures, and leaves nothing behind. No figure is judged."""
import glob
import json
import os
import subprocess
import sys
import tempfile

ROWS = ["read-4k", "read-4k-32", "read-1m", "write-1m", "stat", "open", "create", "remove", "list", "small"]


def mounts():
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if "fsif-bench" in line]


def main():
    source, build = sys.argv[1:]
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
    modes = {r["mode"] for r in result["rows"]}
    assert modes == ({"S", "X"} if len(os.sched_getaffinity(0)) > 1 else {"S"}), modes
    for mode in modes:
        rows = {r["row"]: r for r in result["rows"] if r["mode"] == mode}
        for name in ROWS:
            for key in ("plain_ns", "confined_ns", "ours_ns"):
                assert len(rows[name][key]) == 1 and rows[name][key][0] > 0, (name, mode, key)
        for skip in result["skipped"]:
            assert not any(skip["target"] in r["peer_ns"] for r in rows.values() if r["mode"] == skip["mode"])
    left = set(glob.glob("/dev/shm/fsif-bench.*")) - before
    assert not left and not mounts(), (left, mounts())
    for skip in result["skipped"]:
        print("left out in mode %(mode)s: %(target)s: %(why)s" % skip)


if __name__ == "__main__":
    main()
