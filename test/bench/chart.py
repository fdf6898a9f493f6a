# SPDX-License-Identifier: MIT
"""An SVG of a run: for each row and mode a dot for each target on a logarithmic axis of times beside
plain system calls. Readable on light and dark grounds: colours follow the reader's preference."""
import math
from xml.sax.saxutils import escape

import goals
import machine

TARGETS = [("ours", "libfsif"), ("confined", "confined calls, in process"), ("virtiofsd", "virtiofsd"),
           ("virtiofsd-spin", "virtiofsd, client spins"), ("fuse", "FUSE passthrough"),
           ("diod", "diod (9P)"), ("sftp-server", "sftp-server"), ("ganesha", "nfs-ganesha (NFSv3)")]
LIGHT = ["#0b57d0", "#6b7280", "#c2410c", "#e08a00", "#7c3aed", "#0f766e", "#be185d", "#4d7c0f"]
DARK = ["#8ab4f8", "#9ca3af", "#fb923c", "#fcd34d", "#c4b5fd", "#5eead4", "#f9a8d4", "#bef264"]
LEFT, RIGHT, TOP, LINE, GAP = 250, 30, 100, 19, 40
WIDTH = 960
MODES = {"S": "both sides on one core (S)", "X": "one core each (X)"}


def style():
    dots = "".join(".t%d{fill:%s}" % (i, c) for i, c in enumerate(LIGHT))
    dark = "".join(".t%d{fill:%s}" % (i, c) for i, c in enumerate(DARK))
    return ("<style>text{font:12px sans-serif;fill:#1f2328}.h{font-weight:bold;font-size:14px}"
            ".s{font-size:11px;fill:#59636e}.g{stroke:#d1d9e0}.p{stroke:#59636e;stroke-width:2}" + dots
            + "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}"
              ".g{stroke:#3d444d}.p{stroke:#9198a1}" + dark + "}</style>")


def points(row):
    """(number of the target, times as long as plain) of those that were measured"""
    plain = row["plain_ns"]
    for i, (name, _) in enumerate(TARGETS):
        samples = row["peer_ns"].get(name) if name in row["peer_ns"] else row.get(name + "_ns")
        value = goals.ratio(samples, plain)
        if value is not None:
            yield i, value


def text(x, y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f"%s text-anchor="%s">%s</text>' % (
        x, y, ' class="%s"' % kind if kind else "", anchor, escape(words))


class Axis:
    def __init__(self, values):
        self.low = math.floor(math.log10(min(values + [1.0])) * 2) / 2
        self.high = math.ceil(math.log10(max(values + [10.0])) * 2) / 2

    def x(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        for power in range(math.floor(self.low), math.ceil(self.high) + 1):
            for step in (1, 2, 5):
                value = step * 10.0 ** power
                if self.low <= math.log10(value) <= self.high:
                    yield value


def grid(axis, top, bottom):
    for value in axis.ticks():
        x = axis.x(value)
        kind = "p" if value == 1 else "g"
        yield '<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' % (kind, x, x, top, bottom)
        yield text(x, bottom + 14, "%g" % value, "s", "middle")


def legend():
    x, y = LEFT - 230, 58
    for i, (_, words) in enumerate(TARGETS):
        yield '<circle class="t%d" cx="%.1f" cy="%d" r="5"/>' % (i, x, y - 4)
        yield text(x + 9, y, words)
        x += 26 + 6.3 * len(words)
        if x > WIDTH - 150:
            x, y = LEFT - 230, y + 18


def panel(rows, mode, axis, top):
    bottom = top + 8 + LINE * len(rows)
    yield text(20, top - 6, MODES[mode], "h")
    yield from grid(axis, top, bottom)
    for n, row in enumerate(rows):
        y = top + LINE * (n + 1) - 4
        yield text(LEFT - 12, y + 4, row["title"], "", "end")
        for i, value in sorted(points(row), reverse=True):  # ours on top
            yield '<circle class="t%d" cx="%.1f" cy="%d" r="%s"><title>%s: %.2f x plain</title></circle>' % (
                i, axis.x(value), y, "6" if i == 0 else "4.5", escape(TARGETS[i][1]), value)


def draw(result):
    rows = {mode: [r for r in result["rows"] if r["mode"] == mode and r["plain_ns"]] for mode in MODES}
    values = [value for some in rows.values() for row in some for _, value in points(row)]
    axis = Axis(values)
    body, y = list(legend()), TOP + 10
    for mode, some in rows.items():
        if some:
            body += panel(some, mode, axis, y)
            y += 8 + LINE * len(some) + GAP + 14
    head = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH, y),
            "<title>Times of each target beside plain system calls</title>", style(),
            text(20, 20, "How many times as long as the plain system calls (logarithmic; 1 = plain)", "h"),
            text(20, 37, machine.words(result["machine"]), "s")]
    return "\n".join(head + body + ["</svg>"]) + "\n"
