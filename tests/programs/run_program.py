#!/usr/bin/python3
"""Runs one program in one of three ways and judges it.

  direct    on the software device, loaded by the program itself
  embedded  under `outboard run`, which starts a private server on a unix socket
  tcp       under `outboard run --server 127.0.0.1:PORT`, a server of this run on a port of its own
  compare   all three, and their outputs must be the same

A program is right when it exits with 0 and its output has a line "PASS name". Exit code 77 means
that the program could not be tried here; ctest counts it as skipped.
"""
import argparse
import difflib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from products import Products, Server  # noqa: E402


MODES = ["direct", "embedded", "tcp"]
NOT_HERE = 77


def run(command, environment, limit_s):
    """Returns (exit code or None after the limit, standard output, standard error)."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=limit_s)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        return None, out, err


def run_mode(mode, products, program, limit_s):
    if mode == "direct":
        return run(program, products.direct_environment(), limit_s)
    if mode == "embedded":
        return run([products.outboard, "run", "--", *program], products.remote_environment(), limit_s)
    with Server(products, ["127.0.0.1:0"]) as server:
        command = [products.outboard, "run", "--server", server.address, "--", *program]
        return run(command, products.remote_environment(), limit_s)


def judge(mode, result, program, limit_s, says_pass=True):
    """Says what is wrong, or returns True. Not every program says that it is right."""
    code, out, err = result
    passed = code == 0 and (not says_pass or any(line.startswith("PASS") for line in out.splitlines()))
    if not passed:
        what = f"was stopped after {limit_s} s" if code is None else f"ended with exit code {code}"
        print(f"{mode}: {' '.join(program)} {what}\n--- output\n{out}--- errors\n{err}---")
    return passed


def run_modes(products, modes, program, limit_s, says_pass=True):
    """Runs the program in each way. Returns {way: result}, or None after saying what is wrong. Ends
    this program if the other cannot be tried here."""
    results, good = {}, True
    for mode in modes:
        results[mode] = run_mode(mode, products, program, limit_s)
        if results[mode][0] == NOT_HERE:
            print(f"{mode}: {results[mode][1]}")
            sys.exit(NOT_HERE)
        good &= judge(mode, results[mode], program, limit_s, says_pass)
    first = results[modes[0]][1].splitlines()
    for mode in modes[1:]:
        other = results[mode][1].splitlines()
        difference = list(difflib.unified_diff(first, other, modes[0], mode, lineterm="", n=0))
        if difference:
            good = False
            print("\n".join(["The outputs differ:", *difference[:60]]))
    return results if good else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="build folder with bin/ and lib/")
    parser.add_argument("--mode", choices=["direct", "embedded", "tcp", "compare"], default="compare")
    parser.add_argument("--limit", type=int, default=100, metavar="SECONDS", help="for each run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for the environment")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    program = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not program:
        parser.error("no program given")
    products = Products(args.build, dict(setting.split("=", 1) for setting in args.set))

    modes = MODES if args.mode == "compare" else [args.mode]
    if run_modes(products, modes, program, args.limit) is None:
        return 1
    print(f"{program[0]}: right in {len(modes)} way(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
