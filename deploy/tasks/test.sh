#!/bin/bash
# test.sh PRESET [CTEST-ARGS...]: installs what is missing, compiles, runs the tests, and says how
# many passed, failed and were skipped, with the reason for every skip.
set -u
. "$(dirname "$0")/steps.sh"
preset=${1:-release}
[ $# -gt 0 ] && shift

begin "TESTS ($preset)" 4
step_setup
step_build "$preset"

heading "Testing (preset $preset)"
results=$root/build/$preset/ctest.xml
log=$logs/test-$preset.log
rm -f "$results"
# A test that wedges must not hang the run; none of ours needs more than a fraction of this.
/usr/bin/python3 deploy/tasks/run_ctest.py --log "$log" --junit "$results" -- \
  ctest --preset "$preset" -j "$jobs_number" --timeout 300 --no-tests=error --output-junit "$results" "$@"
status=$?
[ "$status" -eq 0 ] || failed "see above and build/logs/test-$preset.log"
passed
