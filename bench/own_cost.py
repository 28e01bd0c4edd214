#!/usr/bin/env python3
"""Our own cost: bench_driver_calls over loopback TCP on the null driver, which does nothing, beside a
plain program that moves the same bytes over loopback TCP in the same run.
  bench/own_cost.py [--build build/release] [--json FILE]
Prints every figure, and for copies of 16 MiB and more the part of the plain program's speed."""
import argparse
import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import processes  # noqa: E402


def through_null_driver(build):
    with processes.server(build, str(build / "lib" / "null" / "libcuda.so.1")) as address:
        return processes.json_of([str(build / "bin" / "outboard"), "run", "--quiet", "--server", address, "--",
                                  str(build / "bin" / "bench_driver_calls"), "--json"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    build = options.build.resolve()
    plain = processes.json_of([str(build / "bin" / "bench_socket_copy"), "64"])
    rows = through_null_driver(build)
    for row in rows:
        name, size = row["name"], re.search(r"(\d+) MiB", row["name"])
        row["plain"] = None
        if size and int(size.group(1)) >= 16:
            row["plain"] = plain["to_child_mb_per_s" if name.startswith("host to device") else "to_parent_mb_per_s"]
        beside = f"  {100 * row['value'] / row['plain']:5.0f} % of a plain socket's {row['plain']}" if row["plain"] else ""
        print(f"{name:34} {row['value']:14.2f} {row['unit']}{beside}")
    if options.json:
        options.json.write_text(json.dumps({"cpus": os.cpu_count(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
