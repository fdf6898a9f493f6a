# SPDX-License-Identifier: MIT
"""Wrong usage: a clear message, exit code 2, and nothing begun. The address leads nowhere, so
whatever tried to connect would end with 3."""
import os
import tempfile

from clilib import check, finish, fsif

NOWHERE = "shm:/nonexistent/fsif.sock"

# arguments, what the message has in it
BAD = [
    ([], "no command"),
    (["nosuch"], "'nosuch' is not a command"),
    (["-x"], "unknown option"),
    (["-c"], "argument is missing"),
    (["-t"], "argument is missing"),
    (["-t", "x", "exports"], "not a number of seconds"),
    (["-t", "-1", "exports"], "not a number of seconds"),
    (["-t", "99999999999999999999", "exports"], "not a number of seconds"),
    (["-t", "5s", "exports"], "not a number of seconds"),
    (["--nosuch", "exports"], "unknown option"),
    (["--dialects", "4", "exports"], "no list of dialects"),
    (["--dialects", "", "exports"], "no list of dialects"),
    (["-c", "noaddress", "exports"], "not an address"),
    (["-c", "shm:", "exports"], "not an address"),
    (["-c", "SHM:/x", "exports"], "not an address"),
    (["-c", "", "exports"], "no address"),
    (["exports", "extra"], "too many operands"),
    (["exports", "-l"], "unknown option"),
    (["exports", "--verify"], "unknown option"),
    (["ls"], "operand is missing"),
    (["ls", "/path"], "not of the form EXPORT:/path"),
    (["ls", ":/path"], "not of the form EXPORT:/path"),
    (["ls", "a b:/path"], "not of the form EXPORT:/path"),
    (["ls", "-x:/path"], "unknown option"),
    (["ls", "x" * 64 + ":/path"], "not of the form EXPORT:/path"),
    (["ls", "good:/", "bad"], "not of the form EXPORT:/path"),
    (["ls", ""], "not of the form EXPORT:/path"),
    (["ls", "-z", "a:/"], "unknown option"),
    (["ls", "-r", "a:/"], "unknown option"),
    (["tree"], "operand is missing"),
    (["tree", "-l", "a:/"], "unknown option"),
    (["cat"], "operand is missing"),
    (["cat", "--json", "a:/"], "unknown option"),
    (["cat", "a:/x", "y"], "not of the form EXPORT:/path"),
    (["get"], "operand is missing"),
    (["get", "a:/x"], "operand is missing"),
    (["get", "x", "y"], "not of the form EXPORT:/path"),
    (["get", "a:/x", ""], "destination is empty"),
    (["get", "a:/x", "b:/y", "."], "works within one export"),
    (["get", "-j", "0", "a:/x", "."], "not a number of jobs"),
    (["get", "-j", "33", "a:/x", "."], "not a number of jobs"),
    (["get", "-j", "two", "a:/x", "."], "not a number of jobs"),
    (["get", "-L", "a:/x", "."], "unknown option"),
    (["put"], "operand is missing"),
    (["put", "a:/x"], "operand is missing"),
    (["put", ".", "y"], "not of the form EXPORT:/path"),
    (["put", "", "a:/y"], "source is empty"),
    (["put", "-r", ".", "a:/y"], "unknown option"),
    (["cp", "a:/x"], "operand is missing"),
    (["cp", "a:/x", "b:/y"], "works within one export"),
    (["cp", "a:/x", "y"], "not of the form EXPORT:/path"),
    (["rm"], "operand is missing"),
    (["rm", "a:"], "root of an export is not removed"),
    (["rm", "a:/"], "root of an export is not removed"),
    (["rm", "-r", "a:/x", "a:/./"], "root of an export is not removed"),
    (["mv", "a:/x"], "operand is missing"),
    (["mv", "a:/x", "b:/y"], "works within one export"),
    (["mkdir"], "operand is missing"),
    (["mkdir", "-m", "9", "a:/x"], "'9' is not a mode"),
    (["mkdir", "-m"], "argument is missing"),
    (["mkdir", "-m", "", "a:/x"], "'' is not a mode"),
    (["stat"], "operand is missing"),
    (["chmod", "644"], "operand is missing"),
    (["chmod", "10000", "a:/x"], "'10000' is not a mode"),
    (["chmod", "888", "a:/x"], "'888' is not a mode"),
    (["chmod", "u+q", "a:/x"], "'u+q' is not a mode"),
    (["chmod", "u", "a:/x"], "'u' is not a mode"),
    (["chmod", "u+r,", "a:/x"], "'u+r,' is not a mode"),
    (["chmod", "644", "x"], "not of the form EXPORT:/path"),
    (["truncate", "a:/x"], "size is missing"),
    (["truncate", "-s", "1"], "operand is missing"),
    (["truncate", "-s", "-1", "a:/x"], "'-1' is not a size"),
    (["truncate", "-s", "1X", "a:/x"], "'1X' is not a size"),
    (["truncate", "-s", "1KK", "a:/x"], "'1KK' is not a size"),
    (["truncate", "-s", "9223372036854775808", "a:/x"], "is not a size"),
    (["truncate", "-s", "99999999999999999999", "a:/x"], "is not a size"),
    (["truncate", "-s", "9999999999T", "a:/x"], "is not a size"),
    (["df", "x"], "not of the form EXPORT:/path"),
    (["sync"], "operand is missing"),
]


def main():
    with tempfile.TemporaryDirectory(prefix="fsif-cli-") as folder:
        for args, words in BAD:
            r = fsif(*args, address=NOWHERE, cwd=folder)
            check("fsif %r" % args, r.returncode == 2 and words.encode() in r.stderr and
                  r.stderr.startswith(b"fsif: ") and r.stdout == b"", (r.returncode, r.stderr))
        check("nothing was made", os.listdir(folder) == [])
    r = fsif("exports")
    check("no address at all", r.returncode == 2 and b"FSIF_ADDRESS" in r.stderr, r.stderr)
    for args in (["--help"], ["ls", "--help"], ["--version"], ["get", "--version"]):
        r = fsif(*args)
        check("fsif %r" % args, r.returncode == 0 and r.stdout and not r.stderr, r)
    r = fsif("ls", "a:/", address=NOWHERE)
    check("nobody there", r.returncode == 3 and r.stderr.startswith(b"fsif: shm:/nonexistent"),
          r.stderr)
    finish()


main()
