#!/usr/bin/env python3
"""What a network's delay costs: runs bench_traces on the software device directly, then through a
server behind bench_delay_proxy at several round trip times, all on this machine in one run.
  bench/network.py [--build build/release] [--rtt 0 0.1 1 10] [--steps 50] [--json FILE] [--svg FILE]
For each trace and each round trip time it prints the time of a step, the blocking round trips and
bytes of a step as the client library counted them, and what is left of the step's time after the
direct time and the round trips: the loss that is our own."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import plot  # noqa: E402
import processes  # noqa: E402

TRACES = ("first_launch", "decode", "training")


@contextlib.contextmanager
def started(command, pattern, **options):
    """Starts a program and waits for the line that says where it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    try:
        line = process.stdout.readline()
        match = re.search(pattern, line)
        if not match:
            sys.exit(f"{command[0]} said \"{line.strip()}\" instead of where it listens.")
        yield match.group(1)
    finally:
        process.terminate()
        process.wait(timeout=10)


def measure(build, rtts, steps):
    program = [str(build / "bin" / "bench_traces")]
    direct = processes.json_of(program + [str(steps)], env=dict(os.environ, LD_LIBRARY_PATH=str(build / "lib/softgpu")))
    rows = []
    with processes.server(build, "softgpu") as address:
        for rtt in rtts:
            proxy = [str(build / "bin" / "bench_delay_proxy"), "--to", address, "--rtt-ms", str(rtt)]
            with started(proxy, r"listening on (\S+)") as through:
                fewer = steps if rtt < 5 else max(3, steps // 10)
                remote = processes.json_of([str(build / "bin" / "outboard"), "run", "--quiet", "--server", through, "--",
                                            *program, str(fewer)])
            for trace in TRACES:
                rows.append(row_of(trace, rtt, direct[trace], remote[trace]))
    return rows


def row_of(trace, rtt, direct, remote):
    own_ms = (remote["step_us"] - direct["step_us"]) / 1e3 - rtt * remote["round_trips"]
    return {"trace": trace, "rtt_ms": rtt, "direct_ms": direct["step_us"] / 1e3, "remote_ms": remote["step_us"] / 1e3,
            "round_trips": remote["round_trips"], "bytes_sent": remote["bytes_sent"],
            "bytes_received": remote["bytes_received"], "own_loss_ms": round(own_ms, 3)}


def show(rows):
    print(f"{'trace':14} {'RTT ms':>8} {'direct ms':>10} {'remote ms':>10} {'round trips':>12} {'sent B':>9} "
          f"{'received B':>11} {'own loss ms':>12}")
    for row in rows:
        print(f"{row['trace']:14} {row['rtt_ms']:8.2f} {row['direct_ms']:10.3f} {row['remote_ms']:10.3f} "
              f"{row['round_trips']:12.2f} {row['bytes_sent']:9.0f} {row['bytes_received']:11.0f} {row['own_loss_ms']:12.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path)
    parser.add_argument("--rtt", nargs="+", type=float, default=[0, 0.1, 0.2, 1, 2, 10, 30, 150], help="added, in ms")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--svg", type=pathlib.Path)
    options = parser.parse_args()
    rows = measure(options.build.resolve(), options.rtt, options.steps)
    show(rows)
    if options.json:
        options.json.write_text(json.dumps({"cpus": os.cpu_count(), "rows": rows}, indent=1) + "\n")
    if options.svg:
        lines = {}
        for trace in TRACES:
            lines[trace] = [(row["rtt_ms"], row["remote_ms"]) for row in rows if row["trace"] == trace]
        options.svg.write_text(plot.line_chart("Time of a step by round trip time", "added round trip time, ms",
                                               "step, ms", lines))


if __name__ == "__main__":
    main()
