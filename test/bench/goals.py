# SPDX-License-Identifier: MIT
"""What is asked of each row, and whether a run met it.

Floors: a figure is at most FLOOR x (the confined work in process + one null request), both of the same
run, and ahead of virtiofsd by the factors below. Goals are compared with plain calls, or with the
confined ones where confining is the work. All ratios are of times: of bytes per second, turned round.
"""
import math
import statistics

FLOOR = 1.25
PINNED = "SX"  # an unpinned run flips between the two at the scheduler's will

# row: {mode: how many times faster than virtiofsd}
AHEAD = {
    "read-4k": {"S": 1.3, "X": 5.0},
    "read-4k-32": {"S": 2.0, "X": 2.0},
    "stat": {"S": 2.0, "X": 20.0},
    "open": {"S": 2.0, "X": 20.0},
    "create": {"S": 1.6, "X": 1.6},
}

# row: [(modes, reference, limit)]: time / reference's time <= limit; with AHEAD_OF the reference is a
# peer whose time is at least limit times ours.
AHEAD_OF = "virtiofsd"
GOALS = {
    "read-4k": [("X", "plain", 2.0), ("S", "plain", 4.0), ("S", AHEAD_OF, 1.7)],
    "read-4k-zc": [("X", "plain", 1.5)],
    "read-4k-32": [("X", "plain", 1.0), ("SX", AHEAD_OF, 2.0)],
    "read-1m": [("SX", "plain", 1 / 0.8)],
    "read-1m-zc": [("SX", "plain", 1 / 0.95)],
    "write-1m": [("SX", "plain", 1 / 0.8)],
    "write-1m-zc": [("SX", "plain", 1 / 0.95)],
    "stat": [("X", "confined", 2.0), ("S", "confined", 5.0), ("SX", AHEAD_OF, 4.0)],
    "open": [("X", "confined", 2.0), ("S", "confined", 5.0), ("SX", AHEAD_OF, 4.0)],
    "create": [("X", "confined", 2.0), ("S", "confined", 5.0), ("SX", AHEAD_OF, 4.0)],
    "remove": [("X", "plain", 2.0), ("S", "plain", 5.0), ("SX", AHEAD_OF, 4.0)],
    "list-attr": [("SX", "plain", 1.2)],
    "small": [("SX", "plain", 1.3)],
}
# Beyond plain calls
STRETCH = {
    "read-4k-32": [("SX", "plain", 1 / 1.5)],
    "read-1m": [("SX", "plain", 1 / 1.5)],
    "read-1m-zc": [("SX", "plain", 1 / 1.5)],
}

SILENCE = 1.2          # times the machine's own wake-up
ASLEEP = 1.0           # times a client that always sleeps at once; SPREAD is allowed for
SPREAD = 1.1
BUSY_AMONG_64 = 1.05
GROWTH = 1.25          # for ten times as many: what grows more is not logarithmic here
IDLE_KIB = 1024
TEXT_BYTES = 24 * 1024


def median(samples):
    return statistics.median(samples) if samples else None


def spread(samples):
    """Half of the distance of the quartiles, as a part of the median."""
    if len(samples) < 4:
        return None
    low, middle, high = statistics.quantiles(samples, n=4)
    return (high - low) / 2 / middle


def ratio(ours, reference):
    """Median of the rounds' ratios; of the medians where one was sampled less often."""
    if not ours or not reference:
        return None
    if len(ours) == len(reference):
        return statistics.median(a / b for a, b in zip(ours, reference))
    return median(ours) / median(reference)


class Check:
    """One thing that was asked. @kind: floor, goal, stretch. @met: None where it was not measured."""

    def __init__(self, kind, text, value, limit, at_least=False):
        self.kind, self.text, self.value, self.limit = kind, text, value, limit
        self.met = None if value is None else value >= limit if at_least else value <= limit

    def words(self):
        return "not measured" if self.met is None else "met" if self.met else "missed"

    def as_json(self):
        return {"kind": self.kind, "text": self.text, "value": self.value, "limit": self.limit,
                "result": self.words()}


def against(kind, row, reference, limit):
    ours = row["ours_ns"]
    if reference == AHEAD_OF:
        value = ratio(row["peer_ns"].get(AHEAD_OF, []), ours)
        return Check(kind, ">= %.2g x ahead of %s" % (limit, reference), value, limit, at_least=True)
    theirs = row[reference + "_ns"]
    if row["bytes"]:
        return Check(kind, ">= %.2f x %s" % (1 / limit, reference), ratio(theirs, ours), 1 / limit,
                     at_least=True)
    if limit < 1:
        return Check(kind, ">= %.2g x as fast as %s" % (1 / limit, reference), ratio(theirs, ours),
                     1 / limit, at_least=True)
    return Check(kind, "<= %.2g x %s" % (limit, reference), ratio(ours, theirs), limit)


def limit_samples(row):
    """confined + null, round by round where both were taken each round."""
    confined, null = row["confined_ns"], row["null_ns"]
    if not confined or not null:
        return []
    if len(confined) == len(null):
        return [a + b for a, b in zip(confined, null)]
    return [a + median(null) for a in confined]


def row_checks(row):
    """Floors first, the one against confined + null before all."""
    name, mode = row["row"], row["mode"]
    if name == "null" or mode not in PINNED:
        return []
    checks = [Check("floor", "<= %.2f x (confined + null)" % FLOOR,
                    ratio(row["ours_ns"], limit_samples(row)), FLOOR)]
    if mode in AHEAD.get(name, {}):
        checks.append(against("floor", row, AHEAD_OF, AHEAD[name][mode]))
    for kind, table in (("goal", GOALS), ("stretch", STRETCH)):
        checks += [against(kind, row, reference, limit)
                   for modes, reference, limit in table.get(name, []) if mode in modes]
    return checks


def steps(items, key):
    """The samples @key of each item beside those of the one before."""
    for before, after in zip(items, items[1:]):
        if before.get(key) and after.get(key):
            yield before, after, ratio(after[key], before[key])


def growth(items, key, what):
    """A check for each step, of the growth for every ten times as many."""
    checks = []
    for before, after, grown in steps(items, key):
        limit = GROWTH ** max(1.0, math.log10(after["count"] / before["count"]))
        checks.append(Check("goal", "%s, %d to %d: <= %.2f x" % (what, before["count"],
                                                                 after["count"], limit),
                            grown, limit))
    return checks


def extra_checks(extra):
    """Of everything that is no row: [(title, mode, check)]"""
    out = []
    for item in extra:
        mode = item.get("mode", "")
        if item["what"] == "silence":
            out.append(("first request after 10 ms of silence", mode, Check(
                "goal", "<= %.1f x the machine's own wake-up" % SILENCE,
                ratio(item["ours_ns"], item["machine_ns"]), SILENCE)))
            out.append(("first request after 10 ms of silence", mode, Check(
                "goal", "not worse than sleeping at once (<= %.1f x)" % SPREAD,
                ratio(item["ours_ns"], item["asleep_ns"]), ASLEEP * SPREAD)))
        elif item["what"] == "idle":
            out.append(("idle session", mode, Check("goal", "no system call in %g s" % item["seconds"],
                                                    item.get("calls"), 0)))
            out.append(("idle session", mode, Check(
                "goal", "<= %d KiB private besides the arena" % IDLE_KIB,
                sum(item["private_kib"].values()), IDLE_KIB)))
        elif item["what"] == "footprint":
            out.append(("core footprint", mode, Check(
                "goal", "dialect 1 frontend <= %d bytes of text at -Os" % TEXT_BYTES,
                item["dialect1"]["text"], TEXT_BYTES)))
            heap = [n for n in item["dialect1"]["needs"] if n.endswith("alloc") or n == "free"]
            out.append(("core footprint", mode, Check("goal", "no heap", len(heap), 0)))
    return out + scale_checks(extra)


def scale_checks(extra):
    out = []
    for mode in sorted({i["mode"] for i in extra if i.get("mode")}):
        sessions, handles, entries = (
            [i for i in extra if i["what"] == what and i.get("mode") == mode]
            for what in ("sessions", "handles", "entries"))
        if sessions:
            out.append(("64 sessions, one busy", mode, Check(
                "goal", "<= %.2f x alone" % BUSY_AMONG_64,
                ratio(sessions[-1]["ours_ns"], sessions[0]["ours_ns"]), BUSY_AMONG_64)))
            out += [("one more session", mode, c) for c in growth(sessions, "connect_ns", "connect")]
        out += [("one more handle", mode, c) for c in growth(handles, "ours_ns", "read")]
        out += [("one more handle", mode, c) for c in growth(handles, "open_ns", "open and close")]
        out += [("one more entry", mode, c) for c in growth(entries, "ours_ns", "stat")]
        out += [("one more entry", mode, c) for c in growth(entries, "list_ns", "list, each entry")]
    return out
