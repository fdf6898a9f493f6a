#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the hostile test of one row: run.py B1. FSIF_BUILD is the build's folder."""
import faulthandler
import sys
import traceback

import harness

import b3_files
import b3_session
import b3_slots
import b_files
import b_names
import b_ring
import b_session
import f3_answers
import f3_session
import f_answers
import f_session
import x_xen

MODULES = (b3_files, b3_session, b3_slots, b_ring, b_names, b_files, b_session, f3_answers, f3_session,
           f_answers, f_session, x_xen)

if __name__ == "__main__":
    faulthandler.enable()  # a hang is a failure that says where: guard.py aborts it
    sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(harness.main(sys.argv))
    except harness.Failed as failure:
        frame = traceback.extract_tb(failure.__traceback__)
        where = [f for f in frame if not f.filename.endswith(("harness.py", "run.py"))][-1:]
        for f in where:
            print("%s:%d: %s" % (f.filename, f.lineno, f.line))
        print("FAILED: %s" % failure)
        sys.exit(1)
