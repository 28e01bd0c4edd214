#!/usr/bin/python3
"""Builds and runs NVIDIA's cuda-samples on the software device, and writes what came out as a table.

    run_samples.py CHECKOUT --build build/release --work FOLDER [--report docs/samples.md] [NAME ...]

Each sample is built by nvcc for PTX of compute_90 alone (once: delete its folder in FOLDER to build it
again), copied with its data to a folder of its own, and run there directly on the software device.
It passes when it exits with 0 and prints nothing that says failed. Without names all samples run; with
names only these, and the results of the others are kept from earlier runs (FOLDER/results.json).
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

from report import write_report
from sample import Sample, judge, run

SLOW_S = 60


def environment_for(args, toolkit, devices):
    environment = dict(os.environ)
    for name in [name for name in environment if name.startswith("OUTBOARD_")]:
        del environment[name]
    paths = [args.build / "lib/softgpu", toolkit / "lib64", toolkit / "nvvm/lib64"]
    environment["LD_LIBRARY_PATH"] = ":".join(str(path.resolve()) for path in paths)
    environment["CUDA_PATH"] = environment["CUDA_HOME"] = str(toolkit)
    environment["LIBNVVM_HOME"] = str(toolkit / "nvvm")
    environment["OUTBOARD_SOFTGPU_DEVICES"] = str(devices)
    environment.update(setting.split("=", 1) for setting in args.set)
    return environment


def try_sample(sample, settings, args, toolkit):
    """Returns the row of the table."""
    row = {"group": sample.group, "status": "skipped", "why": sample.cannot_be_tried() or "", "seconds": 0.0}
    if row["why"]:
        return row
    work = (args.work / sample.name).resolve()
    row["why"] = sample.build(work, args.limit) or ""
    if row["why"]:
        return row
    environment = environment_for(args, toolkit, max(args.devices, settings.get("min_gpus", 1)))
    if sample.compute_capability():
        environment["OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY"] = sample.compute_capability()
    output = ""
    for number, one in enumerate(settings.get("runs", [settings])):
        code, text, seconds = run([f"./{sample.program}", *one.get("args", [])], work, environment, args.limit)
        status, why = judge(code, text, args.limit)
        output += text
        row["seconds"] += seconds
        if number == 0 or status != "PASS":
            row["status"], row["why"] = status, why
        if status != "PASS":
            break
    (work / "run.log").write_text(output)
    if sample.compute_capability():
        row["why"] += f" (as a device of compute capability {sample.compute_capability()})"
    return row


def samples_of(checkout, toolkit):
    for cmake in sorted(checkout.glob("Samples/*/*/CMakeLists.txt")):
        yield Sample(cmake.parent, checkout, toolkit)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=pathlib.Path, help="a cuda-samples checkout")
    parser.add_argument("names", nargs="*", help="samples to run; all when none is given")
    parser.add_argument("--build", required=True, type=pathlib.Path, help="build folder with lib/softgpu/libcuda.so.1")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="folder for programs, data and results")
    parser.add_argument("--toolkit", type=pathlib.Path, default=pathlib.Path("/usr/local/cuda"))
    parser.add_argument("--limit", type=int, default=600, metavar="SECONDS", help="for each build and each run")
    parser.add_argument("--devices", type=int, default=1, help="software devices, unless a sample needs more")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for the environment")
    parser.add_argument("--report", type=pathlib.Path, help="Markdown file to write")
    args = parser.parse_intermixed_args()
    checkout, toolkit = args.checkout.resolve(), args.toolkit.resolve()
    if not (args.build / "lib/softgpu/libcuda.so.1").exists():
        parser.error(f"{args.build} holds no lib/softgpu/libcuda.so.1; build the target cuda_softgpu first")

    settings_file = checkout / "test_args.json"
    settings = json.loads(settings_file.read_text()) if settings_file.exists() else {}
    args.work.mkdir(parents=True, exist_ok=True)
    results_file = args.work / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    for sample in samples_of(checkout, toolkit):
        if args.names and sample.name not in args.names:
            continue
        row = try_sample(sample, settings.get(sample.name, {}), args, toolkit)
        # Another run with other names may have written results meanwhile.
        results = json.loads(results_file.read_text()) if results_file.exists() else {}
        results[sample.name] = row
        print(f"{row['status']:8}{row['seconds']:7.1f} s  {sample.name}: {row['why']}", flush=True)
        results_file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    if args.report:
        described = subprocess.run(["git", "-C", str(checkout), "describe", "--tags"], capture_output=True, text=True,
                                   check=False).stdout.strip()
        write_report(args.report, results, described, datetime.date.today().isoformat(), SLOW_S)
    return 1 if any(row["status"] == "FAIL" for row in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
