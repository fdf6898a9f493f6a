#!/bin/sh
# SPDX-License-Identifier: MIT
# One-line mutants of the sources, and the tests that must go red. See mutants/README.md.
exec python3 "$(dirname "$0")/mutants/mutants.py" "$@"
