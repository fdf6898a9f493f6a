#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py: what a run measured, as a table, JSON, an SVG and a part of the README.

report.py machine OUT.json                      write what the machine is, before a run
report.py merge OUT.json RAW.json PART.json...  put fsif-bench's results, the machine and the parts together
report.py table FILE.json                       print the table; exit 0
report.py svg FILE.json OUT.svg
report.py readme FILE.json README.md SVG        replace what is between the two marker comments
"""
import itertools
import json
import os
import sys

import chart
import goals
import machine

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PEERS = ["virtiofsd", "virtiofsd-spin", "fuse", "diod", "sftp-server", "ganesha"]
MODES = {"S": "both sides on one core", "X": "one core each",
         "U": "wherever the scheduler puts them: for information"}


def load(path):
    with open(path) as f:
        return json.load(f)


def store(path, value):
    with open(path + ".new", "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)


def merge(out, raw, parts):
    result = {"rows": [], "extra": [], "skipped": []}
    for mode in raw.pop("modes"):
        for key in ("rows", "extra"):
            result[key] += mode[key]
        result["skipped"] += [s for s in mode["skipped"] if s["why"] != "not asked for"]
    result.update(raw)
    for part in parts:
        if "cpu" in part:
            result["machine"] = part
        else:
            result["extra"].append(part)
    result["checks"] = [dict(c.as_json(), row=row["row"], mode=row["mode"])
                        for row in result["rows"] for c in goals.row_checks(row)]
    result["checks"] += [dict(c.as_json(), row=title, mode=mode)
                         for title, mode, c in goals.extra_checks(result["extra"])]
    store(out, result)


# --- figures ---------------------------------------------------------------------------------


def figure(row, samples):
    """A time in microseconds or milliseconds, or a rate."""
    ns = goals.median(samples)
    if ns is None:
        return "-"
    if row["bytes"]:
        return "%.2f GB/s" % (row["bytes"] / ns)
    if ns >= 1e6:
        return "%.2f ms" % (ns / 1e6)
    return "%.2f us" % (ns / 1e3)


def with_spread(row, samples):
    part = goals.spread(samples)
    return figure(row, samples) + (" ±%.0f%%" % (100 * part) if part is not None else "")


def times(value):
    return "-" if value is None else "%.2f" % value if value < 100 else "%.0f" % value


def beside(row, peer):
    """The peer's figure and how many times ours it takes."""
    samples = row["peer_ns"].get(peer, [])
    ahead = goals.ratio(samples, row["ours_ns"])
    return figure(row, samples) + (" (%sx)" % times(ahead) if ahead is not None else "")


def cells(row):
    return [row["title"], row["mode"], with_spread(row, row["ours_ns"]), figure(row, row["plain_ns"]),
            times(goals.ratio(row["ours_ns"], row["plain_ns"])), figure(row, row["confined_ns"]),
            figure(row, goals.limit_samples(row))] + [beside(row, p) for p in PEERS]


HEAD = ["work", "mode", "ours", "plain", "ours/plain", "confined", "confined+null"] + PEERS
ASKED = ["work", "mode", "floor", "measured", "result", "goal", "measured", "result"]


def three(check):
    words = "stretch: " + check.text if check and check.kind == "stretch" else check and check.text
    return [words, times(check.value), check.words()] if check else ["", "", ""]


def asked_of(row):
    """A line for each floor of a row, the goals beside them."""
    checks = goals.row_checks(row)
    floors = [c for c in checks if c.kind == "floor"]
    others = [c for c in checks if c.kind != "floor"]
    for floor, other in itertools.zip_longest(floors, others):
        yield [row["title"], row["mode"]] + three(floor) + three(other)


def columns(lines):
    lines = list(lines)
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))] if lines else []
    for line in lines:
        yield "  ".join(c.ljust(w) for c, w in zip(line, width)).rstrip()


def counts(result):
    tally = {}
    for check in result["checks"]:
        one = tally.setdefault(check["kind"], {"met": 0, "missed": 0, "not measured": 0})
        one[check["result"]] += 1
    for kind in ("floor", "goal", "stretch"):
        if kind in tally:
            yield "%s: %d met, %d missed, %d not measured" % (
                {"floor": "floors", "goal": "goals", "stretch": "beyond plain calls"}[kind],
                tally[kind]["met"], tally[kind]["missed"], tally[kind]["not measured"])


def skips(result):
    ran = {p for row in result["rows"] for p, samples in row["peer_ns"].items() if samples}
    yield "peers: %d ran, %d times one was left out" % (len(ran), len(result["skipped"]))
    for skip in result["skipped"]:
        yield "left out in mode %s: %s: %s" % (skip["mode"], skip["target"], skip["why"])


def ground(result):
    return "dialect %d, file of %d MiB, folder of %d names, %d rounds%s" % (
        result["dialect"], result["file_bytes"] >> 20, result["names"], result["rounds"],
        ", quick" if result["quick"] else "")


def modes_of(result):
    taken = {row["mode"] for row in result["rows"]}
    return [(mode, text) for mode, text in MODES.items() if mode in taken]


def busy(result):
    m = result["machine"]
    return m["load"][0] > m["cores"] / 2


def extra_lines(result):
    for title, mode, c in goals.extra_checks(result["extra"]):
        yield [title, mode or "-", c.text, times(c.value), c.words()]


def table(result):
    print("machine: " + machine.words(result["machine"]))
    print("run: " + ground(result))
    for mode, text in modes_of(result):
        print("mode %s: %s" % (mode, text))
    if busy(result):
        print("The machine was busy: take these figures as a sign that everything works, no more.")
    print("in brackets: how many times as long as ours\n")
    for lines in ([HEAD] + [cells(row) for row in result["rows"]],
                  [ASKED] + [line for row in result["rows"] for line in asked_of(row)],
                  list(extra_lines(result))):
        print("\n".join(columns(lines)) + "\n")
    for line in list(skips(result)) + list(counts(result)):
        print(line)


# --- README ----------------------------------------------------------------------------------


def rows_of(head, lines):
    out = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return out + ["| " + " | ".join("**missed**" if c == "missed" else c for c in line) + " |"
                  for line in lines]


def markdown(result, svg):
    out = ["Measured on: %s." % machine.words(result["machine"]),
           "Run: %s. Modes: %s. Medians; in brackets: how many times as long as ours."
           % (ground(result), "; ".join("%s: %s" % mode for mode in modes_of(result))), ""]
    out += ["![times of each target beside plain system calls](%s)" % svg, ""]
    out += rows_of(HEAD, [cells(row) for row in result["rows"]]) + [""]
    out += rows_of(ASKED, [line for row in result["rows"] for line in asked_of(row)]) + [""]
    out += rows_of(["beyond the rows", "mode", "goal", "measured", "result"], extra_lines(result))
    out += [""] + [line + "." for line in list(skips(result)) + list(counts(result))]
    return "\n".join(out) + "\n"


def readme(result, path, svg):
    with open(path) as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit("report.py: %s does not have %s and %s once each" % (path, BEGIN, END))
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    relative = os.path.relpath(svg, os.path.dirname(os.path.abspath(path)))
    with open(path + ".new", "w") as f:
        f.write(before + BEGIN + "\n" + markdown(result, relative) + END + after)
    os.replace(path + ".new", path)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "machine" and len(arguments) == 1:
        store(arguments[0], machine.describe())
    elif command == "merge" and len(arguments) >= 2:
        merge(arguments[0], load(arguments[1]), [load(p) for p in arguments[2:]])
    elif command == "table" and len(arguments) == 1:
        table(load(arguments[0]))
    elif command == "svg" and len(arguments) == 2:
        with open(arguments[1], "w") as f:
            f.write(chart.draw(load(arguments[0])))
    elif command == "readme" and len(arguments) == 3:
        readme(load(arguments[0]), arguments[1], arguments[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
