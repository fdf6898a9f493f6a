# SPDX-License-Identifier: MIT
"""Run the mutants of the tables: patch, build what the named tests need, run them, want red.

The tree is copied to a folder for each of two workers, what the tests need is built there once with
ASan and UBSan, and the named tests must pass before the first mutant. A mutant that does not apply
exactly once, does not compile, names no test or leaves its tests green is a failure.
"""
import argparse
import concurrent.futures
import configparser
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TEST_TIMEOUT = 120  # a mutant may hang; a hang is red
# What never comes is not waited for as long as on a busy machine without mutants.
os.environ["FSIF_HOSTILE_DEADLINE"] = "20"
ROWS = ["B%d" % n for n in (*range(1, 29), 30)] + ["F%d" % n for n in (*range(1, 13), 14, 16)]


class Bad(Exception):
    """Why a mutant is no mutant."""


class Mutant:
    def __init__(self, name, section):
        self.name = name
        self.file = section["file"]
        self.old = section["old"].strip()
        self.new = section.get("new", "").strip()
        self.test = section["test"].strip()
        self.rows = section.get("rows", "").split()
        self.build = section.get("build", "").split()

    def apply(self, text):
        # Blanks and line breaks are the formatter's business.
        tokens = re.findall(r"\w+|[^\w\s]", self.old)
        pattern = r"\s*".join(re.escape(t) for t in tokens)
        if tokens[0][0].isalnum():
            pattern = r"\b" + pattern
        if tokens[-1][-1].isalnum():
            pattern += r"\b"
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise Bad(f"its text stands {len(found)} times in {self.file}")
        at = found[0]
        return text[:at.start()] + self.new + text[at.end():]


def read_table(paths):
    mutants = []
    for path in paths:
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",),
                                           comment_prefixes=("#",), strict=True)
        parser.read_string(path.read_text())
        mutants += [Mutant(name, parser[name]) for name in parser.sections()]
    if len({m.name for m in mutants}) != len(mutants):
        raise Bad("a name stands twice in the tables")
    return mutants


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")


def run_limited(command, cwd, seconds):
    """As run(), but a run that takes longer is ended with all that it started: None."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        try:
            out, _ = process.communicate(timeout=seconds)
            return process.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)  # the tests' guards clean up
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            return None


def copy_tree(to):
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
                           check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, names):
        source, target = ROOT / name, to / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # An unchanged file keeps its time, so that a kept build folder stays up to date.
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy2(source, target)
            os.utime(target)


class Worker:
    """A copy of the tree with a build in it."""

    def __init__(self, folder):
        self.tree = folder / "tree"
        self.build = folder / "build"
        self.tests = {}

    def prepare(self, mutants):
        self.tree.mkdir(parents=True, exist_ok=True)
        copy_tree(self.tree)
        self.must(["cmake", "--preset", "asan", "-B", self.build])
        listed = run(["ctest", "--show-only=json-v1"], self.build)
        for test in json.loads(listed.stdout)["tests"]:
            self.tests[test["name"]] = test.get("command", [])
        needed = {target for m in mutants for target in self.targets(m)}
        self.must(["cmake", "--build", self.build, "-j", "1", "--target"] + sorted(needed))

    def must(self, command):
        done = run(command, self.tree)
        if done.returncode:
            raise Bad("the tree does not build:\n" + done.stdout[-4000:])

    def names(self, pattern):
        return [n for n in self.tests if re.search(pattern, n)]

    def targets(self, mutant):
        """What ninja has to build for the tests: what the table says, else programs of the build
        folder in their commands, else all of it."""
        if mutant.build:
            return mutant.build
        found = set()
        for name in self.names(mutant.test):
            own = set()
            for word in self.tests[name]:
                path = pathlib.Path(word)
                if path.is_relative_to(self.build):
                    own.add(str(path.relative_to(self.build)))
            if not own:
                return ["all"]
            found |= own
        return sorted(found)

    def run_tests(self, pattern):
        """Whether all passed, and the report."""
        if not self.names(pattern):
            raise Bad(f"no test is named {pattern}")
        done = run_limited(["ctest", "-R", pattern, "--output-on-failure", "--stop-on-failure"],
                           self.build, TEST_TIMEOUT)
        if done is None:
            return False, "the test hangs"
        if done[0] and "tests failed out of" not in done[1]:
            raise Bad("ctest:\n" + done[1][-2000:])
        return done[0] == 0, done[1]

    def judge(self, mutant):
        path = self.tree / mutant.file
        original = path.read_text()
        path.write_text(mutant.apply(original))
        try:
            built = run(["cmake", "--build", self.build, "-j", "1", "--target"] +
                        self.targets(mutant), self.tree)
            if built.returncode:
                raise Bad("it does not compile:\n" + built.stdout[-2000:])
            return self.run_tests(mutant.test)[0]
        finally:
            path.write_text(original)


def baseline(workers, mutants):
    """The tests that mutants name pass on the tree as it is, with what was built: each worker tries a
    part of them."""
    patterns = sorted({m.test for m in mutants})

    def part(i):
        own = patterns[i::len(workers)]
        if own:
            done = run(["ctest", "-R", "|".join(own), "-j", "2", "--output-on-failure"],
                       workers[i].build)
            if done.returncode:
                raise Bad("tests are red without any mutant:\n" + done.stdout[-6000:])

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(part, range(len(workers))))


def check(mutants):
    """What needs no build: each applies to the tree as it is, and each row has one."""
    bad = 0
    for m in mutants:
        try:
            m.apply((ROOT / m.file).read_text())
        except (Bad, OSError) as why:
            bad += 1
            print(f"{m.name}: {why}")
    for row in ROWS:
        if not any(m.name.startswith(row + "-") for m in mutants):
            bad += 1
            print(f"no mutant of row {row}")
    print(f"{len(mutants)} mutants, {bad} wrong")
    return 1 if bad else 0


def quick(mutants):
    """One for each row of attacks, the first of the tables."""
    chosen = []
    for row in ROWS:
        chosen += [m for m in mutants if m.name.startswith(row + "-")][:1]
    return chosen


def judge_all(workers, mutants):
    free = queue.Queue()
    for worker in workers:
        free.put(worker)

    def one(mutant):
        worker = free.get()
        began = time.monotonic()
        try:
            word = "survived" if worker.judge(mutant) else "killed"
        except Bad as why:
            word = "failed: " + str(why)
        finally:
            free.put(worker)
        print(f"{word:9} {mutant.name} ({mutant.test}, {time.monotonic() - began:.0f} s)",
              flush=True)
        return word.split(":")[0]

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(one, mutants))


def main():
    parser = argparse.ArgumentParser(prog="mutants.sh", description=__doc__)
    parser.add_argument("--build", help="folder for the copies, kept (default: a temporary one)")
    parser.add_argument("--list", action="store_true", help="print the table")
    parser.add_argument("--rows", action="store_true", help="print mutants by row")
    parser.add_argument("--check", action="store_true", help="only whether each applies")
    parser.add_argument("--quick", action="store_true", help="one for each row of attacks")
    parser.add_argument("--no-baseline", action="store_true",
                        help="the tests are known to pass without a mutant")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("name", nargs="*", help="regular expressions; default: every mutant")
    args = parser.parse_args()

    parts = ("core", "rows", "hostile", "control", "posix", "client", "dialect3")
    mutants = read_table([HERE / f"table.{part}" for part in parts])
    if args.name:
        mutants = [m for m in mutants if any(re.search(n, m.name) for n in args.name)]
    if args.check:
        return check(mutants)
    if args.quick:
        mutants = quick(mutants)
    if args.rows:
        rows = {}
        for m in mutants:
            for row in m.rows:
                rows.setdefault(row, []).append(m.name)
        for row in sorted(rows, key=lambda r: (r[0], int(r[1:]) if r[1:].isdigit() else 0)):
            print(row, *rows[row])
        return 0
    if args.list:
        for m in mutants:
            print(f"{m.name}: {m.file}: {m.test} {' '.join(m.rows)}")
        return 0
    folder = pathlib.Path(args.build or tempfile.mkdtemp(prefix="fsif-mutants-")).resolve()
    try:
        workers = [Worker(folder / str(i)) for i in range(args.workers)]
        with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
            list(pool.map(lambda worker: worker.prepare(mutants), workers))
        if not args.no_baseline:
            baseline(workers, mutants)
        words = judge_all(workers, mutants)
    except Bad as why:
        print(why)
        return 1
    finally:
        if not args.build:
            shutil.rmtree(folder, ignore_errors=True)
    killed, survived = words.count("killed"), words.count("survived")
    failed = len(words) - killed - survived
    print(f"{killed} killed, {survived} survived" + (f", {failed} failed" if failed else ""))
    return 0 if words and killed == len(words) else 1


sys.exit(main())
