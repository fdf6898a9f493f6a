#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py PROTOCOL.md ERROR.H PRINT_TABLE: whether the page and the code say the same of dialect 3:
every operation's number, handle, fields, names and flags, the members of every structure, and the
numbers of errors."""

import re
import subprocess
import sys

WIDTH = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s32": 4, "s64": 8}
# Structures: what stands before their table
TABLES = {"ring": "### The ring of a queue", "directory": "Key `directory` is",
          "request": "A slot of 64 octets:", "response": "An entry of 128 octets.",
          "attr": "Attributes (112 octets):", "statvfs": "statvfs (48 octets).",
          "lock": "A lock, in the answer", "record": "A record of statmany (120 octets):",
          "entry": "value counts their octets. Each:", "change": "A **change** notice:"}


def rows(text):
    """The rows of the first table in @text, without its head."""
    lines = iter(text.split("\n"))
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


def after(page, mark):
    flat = re.compile(r"\s+".join(re.escape(word) for word in mark.split()))
    found = list(flat.finditer(page))
    if len(found) != 1:
        sys.exit(f"'{mark}' stands {len(found)} times on the page")
    return page[found[0].end():]


def flag_values(part):
    values = {}
    for row in rows(after(part, "is FSIF_EROFS.")):
        cells = [cell for cell in row if cell]
        for name, value in zip(cells[::2], cells[1::2], strict=True):
            values[name] = int(value, 0)
    return values


def field(text):
    """'mode u16 @14' without its sign; 'names @20 in the arena' in the table's words."""
    text = re.sub(r" s(\d\d) @", r" u\1 @", text)
    return re.sub(r"^names (@\d+) in the arena$", r"names in the arena \1", text)


def operations(page):
    part = after(page, "### Operations of dialect 3")
    flags = flag_values(part)
    for number, name, handle, fields, names, legal in rows(part):
        mask = 0
        for word in legal.split():
            mask |= flags[word]
        fields = [field(f) for f in fields.split(", ")] if fields else []
        at = [int(re.search(r"@(\d+)", f).group(1)) for f in fields]
        assert at == sorted(at), f"{name}: fields out of order"
        yield f"op {number} {name}|{handle}|{', '.join(fields)}|{names}|{mask:#x}"


def members(page):
    for title, mark in TABLES.items():
        for row in rows(after(page, mark)):
            at, kind, name = row[:3]
            if name == "req_prod" and title != "ring" or not kind:
                continue
            array = re.match(r"(u32)\[(\d+)\]$", kind)
            if array:
                octets = WIDTH[array.group(1)] * int(array.group(2))
            elif kind in WIDTH:
                octets = WIDTH[kind]
            else:
                continue
            yield f"{title}|{name.strip('`')}|{at}|{octets}"


def errors_of_page(page):
    text = after(page, "Errors are these numbers whatever the host's own are:")
    return {(m.group(1), int(m.group(2)))
            for m in re.finditer(r"\b(E[A-Z0-9]+)\s+(\d+)", text.split("They are written")[0])}


def errors_of_code(path):
    with open(path, encoding="utf-8") as f:
        return {(m.group(1), int(m.group(2))) for m in re.finditer(r"FSIF_(E\w+) = (\d+)", f.read())}


def compare(what, page, code):
    for line in sorted(set(page) - set(code), key=str):
        print(f"{what}, only the page:  {line}")
    for line in sorted(set(code) - set(page), key=str):
        print(f"{what}, only the code:  {line}")
    return set(page) == set(code)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        page = f.read()
    printed = subprocess.run([sys.argv[3]], stdout=subprocess.PIPE, check=True, text=True)
    code = printed.stdout.splitlines()
    ops = list(operations(page))
    same = compare("operations", ops, [line for line in code if line.startswith("op ")])
    same &= compare("structures", list(members(page)),
                    [line for line in code if not line.startswith("op ")])
    same &= compare("errors", errors_of_page(page), errors_of_code(sys.argv[2]))
    print(f"{len(ops)} operations")
    sys.exit(0 if same and len(ops) == 32 else 1)


if __name__ == "__main__":
    main()
