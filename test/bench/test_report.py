#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What report.py makes of samples that are known: met, missed, not measured, table, drawing, README."""
import contextlib
import copy
import io
import os
import sys
import tempfile
import xml.dom.minidom

import chart
import goals
import report

ROUNDS = 5


def row(name, mode, plain, confined, null, ours, bytes_=0, **peers):
    def times(ns):
        return [float(ns)] * ROUNDS if ns else []
    return {"row": name, "title": "work " + name, "mode": mode, "bytes": bytes_,
            "plain_ns": times(plain), "confined_ns": times(confined), "null_ns": times(null),
            "ours_ns": times(ours), "peer_ns": {k.replace("_", "-"): times(v) for k, v in peers.items()}}


def raw(rows, extra=()):
    return {"modes": [{"mode": m, "rows": [r for r in rows if r["mode"] == m],
                       "extra": [e for e in extra if e.get("mode") == m],
                       "skipped": [{"target": "diod", "mode": m, "why": "it is not there"}]}
                      for m in "SX"],
            "quick": 1, "rounds": ROUNDS, "names": 10, "file_bytes": 1 << 20, "dialect": 3}


MACHINE = {"cpu": "a | cpu <&>", "cores": 2, "kernel": "k", "system": "s", "virtualisation": "none",
           "memory_mib": 1, "load": [0.0, 0.0, 0.0], "date": "d"}


def results(rows, extra=()):
    """As merge() leaves it"""
    with tempfile.TemporaryDirectory() as folder:
        report.merge(folder + "/out", raw(copy.deepcopy(rows), extra), [MACHINE])
        return report.load(folder + "/out")


def words(rows, name, mode, kind, extra=()):
    return [c["result"] for c in results(rows, extra)["checks"]
            if (c["row"], c["mode"], c["kind"]) == (name, mode, kind)]


def check_floors():
    """1.25 x (1000 + 400) is 1750."""
    good = row("read-4k", "X", 900, 1000, 400, 1749, virtiofsd=10000)
    assert words([good], "read-4k", "X", "floor") == ["met", "met"]
    bad = row("read-4k", "X", 900, 1000, 400, 1751, virtiofsd=8700)
    assert words([bad], "read-4k", "X", "floor") == ["missed", "missed"]
    blind = row("read-4k", "X", 900, 1000, None, 1749)
    assert words([blind], "read-4k", "X", "floor") == ["not measured"] * 2


def check_goals():
    assert words([row("read-1m", "S", 100, 100, 1, 120, 1 << 20)], "read-1m", "S", "goal") == ["met"]
    assert words([row("read-1m", "S", 100, 100, 1, 130, 1 << 20)], "read-1m", "S", "goal") == ["missed"]
    assert words([row("read-1m", "S", 100, 100, 1, 60, 1 << 20)], "read-1m", "S", "stretch") == ["met"]
    assert words([row("stat", "X", 1, 1000, 1, 1999)], "stat", "X", "goal") == ["met", "not measured"]
    assert words([row("stat", "X", 5000, 1000, 1, 2001, virtiofsd=8100)], "stat", "X", "goal") == [
        "missed", "met"]


def check_extra():
    def sessions(alone, among):
        return [{"what": "sessions", "mode": "X", "count": n, "ours_ns": [ns] * 3, "connect_ns": [9.0] * 3}
                for n, ns in ((1, alone), (8, alone), (64, among))]
    title = "64 sessions, one busy"
    assert words([], title, "X", "goal", sessions(100.0, 105.0)) == ["met"]
    assert words([], title, "X", "goal", sessions(100.0, 106.0)) == ["missed"]
    idle = {"what": "idle", "seconds": 10, "private_kib": {"client": 1000}, "calls": 1}
    assert [c.words() for _, _, c in goals.extra_checks([idle])] == ["missed", "met"]
    del idle["calls"]
    assert [c.words() for _, _, c in goals.extra_checks([idle])] == ["not measured", "met"]
    grown = [{"count": 10, "ours_ns": [100.0]}, {"count": 1000, "ours_ns": [156.0]},
             {"count": 100000, "ours_ns": [250.0]}]
    assert [c.words() for c in goals.growth(grown, "ours_ns", "x")] == ["met", "missed"]


def check_ratio():
    assert goals.ratio([1.0, 20.0, 3.0], [1.0, 10.0, 3.0]) == 1.0  # round by round
    assert goals.ratio([2.0, 2.0], [1.0, 1.0, 9.0]) == 2.0         # of the medians
    assert goals.ratio([], [1.0]) is None


def check_names():
    """Each peer has its column, its dot and its colours."""
    assert [name for name, _ in chart.TARGETS] == ["ours", "confined"] + report.PEERS
    assert len(set(chart.LIGHT)) == len(set(chart.DARK)) == len(chart.TARGETS)


def check_outputs():
    rows = [row(n, m, 100, 200, 50, 300, 0, virtiofsd=900, sftp_server=5000, ganesha=9000) for n in ("stat", "open")
            for m in "SX"] + [row("null", "S", None, None, 50, 50)]
    result = results(rows)
    drawing = xml.dom.minidom.parseString(chart.draw(result))
    assert len(drawing.getElementsByTagName("circle")) == len(chart.TARGETS) + 4 * 5
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        report.table(result)
    assert "left out in mode X: diod: it is not there" in out.getvalue()
    assert "ganesha" in out.getvalue() and "9.00 us (30.00x)" in out.getvalue()
    assert "0.30 us" in out.getvalue() and "missed" in out.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/README.md"
        with open(path, "w") as f:
            f.write("before\n%s\nold\n%s\nafter\n" % (report.BEGIN, report.END))
        for _ in range(2):  # a second time replaces the first
            report.readme(result, path, folder + "/results/run.svg")
        with open(path) as f:
            text = f.read()
        assert text.startswith("before\n") and text.endswith("\nafter\n") and "\nold\n" not in text
        assert "(results/run.svg)" in text and "**missed**" in text
        assert text.count("Measured on: a | cpu") == 1
        with open(path, "w") as f:
            f.write("nothing to replace\n")
        try:
            report.readme(result, path, "x.svg")
        except SystemExit:
            assert os.listdir(folder) == ["README.md"]
        else:
            sys.exit("a README without markers was taken")


if __name__ == "__main__":
    check_floors()
    check_goals()
    check_extra()
    check_ratio()
    check_names()
    check_outputs()
