#!/usr/bin/env python3
"""Shares of a device: several real client processes compete under compute quotas, and each counts what of
its work was done in every tenth of a second.
  bench/quota.py [--build build/release] [--seconds 10] [--only WORD] [--json FILE]
The device is the null driver, whose kernels take a programmed time and no processor, so that what is
measured is the scheduling. For each mix: the share that each client had, against what it was owed; the
worst one-second window; how long until the shares were right to 5 points for good."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import processes  # noqa: E402

BUCKETS_OF_SECOND = 10

# (name, [(how, microseconds of a launch, percent or 0)]). Percentages are hard caps.
MIXES = [
    ("30/70, kernels of 50 us", [("kernels", 50, 30), ("kernels", 50, 70)]),
    ("10/90, kernels of 50 us", [("kernels", 50, 10), ("kernels", 50, 90)]),
    ("25/25/50, kernels of 50 us", [("kernels", 50, 25), ("kernels", 50, 25), ("kernels", 50, 50)]),
    ("1/99, kernels of 50 us", [("kernels", 50, 1), ("kernels", 50, 99)]),
    ("30/70, graphs beside kernels", [("graphs", 20, 30), ("kernels", 50, 70)]),
    ("30/70, cuLaunchKernelEx beside cooperative", [("ex", 50, 30), ("cooperative", 200, 70)]),
    ("30/70, 50 ms beside 50 us", [("kernels", 50_000, 30), ("kernels", 50, 70)]),
    ("70/30, 50 ms beside 50 us", [("kernels", 50_000, 70), ("kernels", 50, 30)]),
    ("30 alone", [("kernels", 50, 30)]),
    ("no quotas, two clients", [("kernels", 50, 0), ("kernels", 50, 0)]),
    ("no quotas, one client", [("kernels", 50, 0)]),
    ("no quotas, four clients", [("kernels", 50, 0)] * 4),
    ("a light client alone", [("light", 50, 0)]),
    ("a light client beside a flooder", [("light", 50, 0), ("kernels", 50, 0)]),
]


def run_mix(build, clients, seconds):
    """Every client's report."""
    with tempfile.NamedTemporaryFile() as device:
        os.environ["OUTBOARD_NULL_DEVICE"] = device.name
        with processes.server(build, str(build / "lib" / "null" / "libcuda.so.1")) as address:
            start_ns = time.monotonic_ns() + 1_500_000_000
            running = []
            for how, units, percent in clients:
                command = [str(build / "bin" / "outboard"), "run", "--quiet", "--server", address]
                command += ["--compute", f"{percent}%"] if percent else []
                command += ["--", str(build / "bin" / "bench_quota_load"), how, str(units), str(seconds), str(start_ns)]
                running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            reports = []
            for process in running:
                output, _ = process.communicate(timeout=seconds + 60)
                if process.returncode != 0:
                    sys.exit(f"{' '.join(process.args)} ended with {process.returncode}.")
                reports.append(json.loads(output))
            return reports


def share(units, first, last):
    """Of the device, in percent: a unit is a microsecond."""
    return sum(units[first:last]) / ((last - first) * 1e5) * 100


def judge(clients, reports, seconds):
    buckets = int(seconds * BUCKETS_OF_SECOND)
    rows = []
    for (how, units, percent), report in zip(clients, reports):
        had = (report["units"] + [0] * buckets)[:buckets]
        whole = share(had, 0, buckets)
        windows = [share(had, i, i + BUCKETS_OF_SECOND) for i in range(0, buckets - BUCKETS_OF_SECOND + 1)]
        owed = percent or None
        right = 0
        if owed:
            wrong = [i for i in range(buckets) if abs(share(had, i, i + 1) - owed) > 5]
            right = None if wrong and wrong[-1] == buckets - 1 else (wrong[-1] + 1) * 100 if wrong else 0
        row = {"how": how, "launch_us": units, "owed": owed, "had": round(whole, 2),
               "windows": [round(min(windows), 2), round(max(windows), 2)], "right_after_ms": right}
        latencies = sorted(report["latencies_us"])
        if latencies:
            row["latency_us"] = {"p50": latencies[len(latencies) // 2], "p99": latencies[int(len(latencies) * 0.99)]}
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--seconds", default=10, type=float)
    parser.add_argument("--only", default="", help="mixes whose name contains this")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    build = options.build.resolve()
    results = []
    for name, clients in MIXES:
        if options.only not in name:
            continue
        rows = judge(clients, run_mix(build, clients, options.seconds), options.seconds)
        results.append({"mix": name, "clients": rows})
        print(name)
        for row in rows:
            owed = f"owed {row['owed']:3} %" if row["owed"] else "owed     -"
            latency = f", latency P50 {row['latency_us']['p50']:.0f} us, P99 {row['latency_us']['p99']:.0f} us" \
                if "latency_us" in row else ""
            print(f"  {row['how']:12} {row['launch_us']:6} us  {owed}  had {row['had']:6.2f} %  in any second "
                  f"{row['windows'][0]:6.2f} to {row['windows'][1]:6.2f} %{latency}")
    if options.json:
        options.json.write_text(json.dumps({"cpus": os.cpu_count(), "seconds": options.seconds, "mixes": results},
                                           indent=1) + "\n")


if __name__ == "__main__":
    main()
