"""Runs ctest and shows what a person wants to see: how far it is, what failed with its output,
ctest's own closing lines, then how many passed, failed and were skipped, and why each was skipped.

Usage: run_ctest.py --log FILE --junit FILE -- ctest ARGUMENTS...
The whole output goes to the log; the exit code is ctest's.
"""
import argparse
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

DONE = re.compile(r"^\s*(\d+)/(\d+) Test\s+#\d+: .*?(Passed|\*\*\*\S.*)?\s+[\d.]+ sec")
START = re.compile(r"^\s+Start\s+\d+: ")
HEARTBEAT_SECONDS = 20


def run(command, log):
    """Streams ctest's output, less the lines of tests that passed; returns its exit code."""
    on_terminal = sys.stdout.isatty()
    last_beat = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, text=True, errors="replace", bufsize=1)
    for line in process.stdout:
        log.write(line)
        done = DONE.match(line)
        if done and on_terminal:
            print(f"\r\033[K      {done[1]} of {done[2]} tests", end="", flush=True)
        elif done and time.monotonic() - last_beat >= HEARTBEAT_SECONDS:
            print(f"      {done[1]} of {done[2]} tests", flush=True)
            last_beat = time.monotonic()
        if START.match(line) or (done and "***" not in line):
            continue
        if on_terminal:
            print("\r\033[K", end="")
        print(line, end="", flush=True)
    return process.wait()


def skip_reason(case):
    """The last sentence of a skipped test's output that is not the framework's own."""
    output = case.findtext("system-out") or ""
    frame = re.compile(r"^(\[.*\]|Note: |Running main|$)|^\s*\d+ (tests?|FAILED)|: Skipped$")
    lines = [line.strip() for line in output.splitlines()]
    said = [line for line in lines if not frame.search(line)]
    return said[-1] if said else "no reason was printed"


def summarize(junit):
    cases = list(ElementTree.parse(junit).getroot().iter("testcase"))
    failed = [case for case in cases if case.get("status") == "fail"]
    skipped = [case for case in cases if case.get("status") not in ("fail", "run")]
    reasons = {}
    for case in skipped:
        reasons.setdefault(skip_reason(case), []).append(case.get("name"))
    for reason, names in sorted(reasons.items()):
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        print(f"skipped: {shown}: {reason}")
    for case in failed:
        print(f"failed: {case.get('name')}")
    print(f"{len(cases) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--junit", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    with open(arguments.log, "w", encoding="utf-8") as log:
        status = run(command, log)
    try:
        summarize(arguments.junit)
    except (OSError, ElementTree.ParseError):
        print("ctest wrote no result file, so nothing can be counted.")
        return status or 1
    return status


if __name__ == "__main__":
    sys.exit(main())
