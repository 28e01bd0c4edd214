#!/usr/bin/python3
"""llama.cpp with the CUDA backend that its authors of node-llama-cpp compiled: a model of random
weights must go on with the same tokens on the device, remotely and directly, as on the CPU."""
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile

import common
from run_program import MODES, run, run_modes

HERE = pathlib.Path(__file__).resolve().parent
TOKENS = 64
sys.path.insert(0, str(HERE / "llama"))
import random_model  # noqa: E402


def installed():
    """The folder that deploy/setup/llama.sh makes."""
    lock = HERE.parents[1] / "deploy/setup/llama/package-lock.json"
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "outboard" / ("llama-" + hashlib.sha256(lock.read_bytes()).hexdigest()[:12])
    if not folder.is_dir():
        raise common.Missing("llama.cpp is not installed (make setup-programs, which needs npm).")
    if shutil.which("node") is None:
        raise common.Missing("there is no node.")
    return folder


def tokens(output):
    return [line for line in output.splitlines() if line.startswith("tokens ")]


def test():
    args = common.arguments(__doc__, type="of the weights: q4_0, q8_0 or q4_k",
                            kernels="own or cublas: whether what is computed needs cuBLAS")
    # The backend is linked to the runtime and to cuBLAS, even where it calls nothing of that.
    libraries = common.toolkit_libraries("libcudart.so.13", "libcublas.so.13")
    settings = {"NODE_LLAMA": str(installed()), "LD_LIBRARY_PATH": libraries}
    if args.kernels == "cublas":
        settings["OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY"] = "13.0"  # see docs/cuda-libraries.md
    products = common.Products(args.build, settings)
    with tempfile.TemporaryDirectory(prefix="outboard-test-") as folder:
        model = f"{folder}/{args.type}.gguf"
        random_model.write(args.type, model)
        program = ["node", str(HERE / "llama/generate.mjs")]
        code, on_cpu, errors = run([*program, "cpu", model, str(TOKENS), args.kernels], products.remote_environment(), args.limit)
        if code != 0:
            return [f"llama.cpp did not run on the CPU (exit code {code}):\n{on_cpu}{errors}"]
        results = run_modes(products, MODES, [*program, "cuda", model, str(TOKENS), args.kernels], args.limit)
    if results is None:
        return ["llama.cpp does not run as it should (see above)."]
    expected, found = tokens(on_cpu), tokens(results["direct"][1])
    print(results["direct"][1], common.outboard_line(results["tcp"]), sep="")
    problems = [f"on the CPU:    {a}\nbut on the device: {b}" for a, b in zip(expected, found) if a != b]
    if len(found) != len(expected) or any(len(line.split(": ")[1].split()) != TOKENS for line in found):
        problems.append(f"{len(found)} lines of {TOKENS} tokens each were expected.")
    together = [line for line in results["direct"][1].splitlines() if line.startswith("together")]
    if len(together) != 4 or not all(line.endswith(f": {TOKENS} tokens") for line in together):
        problems.append(f"four sequences of {TOKENS} tokens each were expected, not {together}.")
    problems += [f"the server counted only {common.launches(results[mode])} launches ({mode})." for mode in MODES[1:]
                 if common.launches(results[mode]) < TOKENS]
    return problems


common.main(test)
