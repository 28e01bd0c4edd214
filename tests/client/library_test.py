#!/usr/bin/python3
"""What libcuda.so.1 shows and needs: it is a guest in programs whose other libraries we do not know."""
import argparse
import json
import re
import subprocess
import sys

# Debian 12's: the oldest system that the library is built for.
NEWEST_GLIBC = (2, 36)
ALLOWED_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}
MARKER = "outboard_client_version"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exports_problems(library, facts):
    expected = set(facts["exports"]) | set(facts["graphics_exports"]) | {MARKER}
    actual = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", library).splitlines()}
    for symbol in sorted(expected - actual):
        yield f"{symbol} is not exported."
    for symbol in sorted(actual - expected):
        yield f"{symbol} is exported, but is no part of the API."


def needs_problems(library, sanitized):
    dynamic = run("readelf", "-dW", library)
    if "Library soname: [libcuda.so.1]" not in dynamic:
        yield "The SONAME is not libcuda.so.1."
    if not re.search(r"FLAGS_1.*NODELETE", dynamic):
        yield "The library could be unloaded while its threads run."
    if re.search(r"\bSTATIC_TLS\b", dynamic):
        yield "The library needs static TLS, which a process that dlopens it may not have left."
    if sanitized:
        return
    for needed in re.findall(r"NEEDED.*\[(.*)\]", dynamic):
        if needed not in ALLOWED_LIBRARIES:
            yield f"The library needs {needed}."


def undefined_problems(library, sanitized):
    for line in run("nm", "-D", "--undefined-only", library).splitlines():
        kind, symbol = line.split()[-2:]
        version = re.search(r"@+GLIBC_([0-9.]+)$", symbol)
        if version:
            if tuple(int(part) for part in version.group(1).split(".")[:2]) > NEWEST_GLIBC:
                yield f"{symbol} is newer than glibc {NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}."
        elif kind != "w" and not sanitized:
            yield f"{symbol} is undefined and comes from no system library."


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", required=True)
    parser.add_argument("--sanitized", action="store_true", help="a sanitizer's runtime is allowed")
    parser.add_argument("library")
    args = parser.parse_args()
    with open(args.facts, encoding="utf-8") as file:
        facts = json.load(file)
    problems = [*exports_problems(args.library, facts), *needs_problems(args.library, args.sanitized),
                *undefined_problems(args.library, args.sanitized)]
    for problem in problems:
        print(problem)
    print(f"{len(facts['exports'])} + {len(facts['graphics_exports'])} symbols checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
