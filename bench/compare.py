#!/usr/bin/env python3
"""Runs bench_driver_calls on the software device directly and through Outboard, and prints both
figures with their ratio.  bench/compare.py [--build build/release] [--server ADDRESS] [--json FILE]
Both runs are on this machine, one after the other, so the ratio means more than the figures."""
import argparse
import json
import os
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import processes  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--server", help="address of a running server; default: an embedded one")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here too")
    options = parser.parse_args()
    build = options.build.resolve()
    program = str(build / "bin" / "bench_driver_calls")

    direct_environment = dict(os.environ, LD_LIBRARY_PATH=str(build / "lib" / "softgpu"))
    direct = processes.json_of([program, "--json"], env=direct_environment)
    remote_command = [str(build / "bin" / "outboard"), "run"]
    if options.server:
        remote_command += ["--server", options.server]
    remote = processes.json_of(remote_command + ["--", program, "--json"])

    print(f"{'':34} {'direct':>14} {'remote':>14} {'remote/direct':>14}")
    rows = []
    for here, there in zip(direct, remote):
        ratio = there["value"] / here["value"] if here["value"] else float("nan")
        print(f"{here['name']:34} {here['value']:14.2f} {there['value']:14.2f} {ratio:14.3f}  {here['unit']}")
        rows.append({"name": here["name"], "unit": here["unit"], "direct": here["value"],
                     "remote": there["value"], "ratio": ratio})
    if options.json:
        report = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count(), "rows": rows}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
