#!/bin/bash
# Runs every test program of the release build with a log of the functions that it calls, and prints
# which program calls which function of the driver API. COVERAGE_ARGS goes to ctest, for example
# COVERAGE_ARGS="-R driver_".
set -u
. "$(dirname "$0")/steps.sh"
begin "COVERAGE REPORT" 3
step_setup
step_build release
heading "Running the test programs"
calls=$root/build/call-log
rm -rf "$calls"
mkdir -p "$calls"
# A program that fails has called what it has called; `make test` is what judges it.
# shellcheck disable=SC2086
OUTBOARD_CALL_LOG=$calls ctest --preset release -L program ${COVERAGE_ARGS:-} >"$logs/coverage-report.log" 2>&1 ||
  printf '      some failed, see build/logs/coverage-report.log\n'
tests/coverage/report.py --logs "$calls" || failed "the report could not be made"
passed
