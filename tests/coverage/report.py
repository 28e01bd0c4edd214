#!/usr/bin/python3
"""Prints every name of the CUDA driver API: how it is served, and which test programs have called it.

The evidence is what the client's library wrote while the programs ran: a folder with one file for
each program (see client-lib/shim/call_log.h). Names that no program has called are listed at the end.

Programs are what counts here. Besides, whatever a program does, the tests that are generated from the
registry try each generated call (null pointers, foreign and dead handles, unknown devices and enumerators,
broken conditions, a missing context, errors and malformed replies of the server), and each command of the
worker (every truncation, unknown handles, a driver that lacks the call). NVML is not part of this report:
tests/nvml looks for every name of NVML 13 and calls what is served.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "protocol/codegen"))
from model import load  # noqa: E402

SHOWN_PROGRAMS = 4


def base_of(symbol):
    """cuMemAlloc of cuMemAlloc_v2, cuLaunchKernel of cuLaunchKernel_ptsz."""
    return re.sub(r"_v\d+$", "", re.sub(r"_pt[sd][sz]$", "", symbol))


def read_logs(folder):
    """Base name -> the programs that have called it, sorted."""
    callers = {}
    for log in sorted(folder.iterdir()):
        for symbol in log.read_text(errors="replace").split():
            callers.setdefault(base_of(symbol), set()).add(log.name)
    return {name: sorted(programs) for name, programs in callers.items()}


def modes_of(registry):
    """Base name -> how it is served: the best of its versions, since only one is current."""
    order = ["generated", "custom", "local", "unsupported"]
    modes = {}
    for call in registry.calls:
        base = base_of(call.symbol)
        if base not in modes or order.index(call.mode) < order.index(modes[base]):
            modes[base] = call.mode
    return modes


def rows(names, modes, callers):
    for name in names:
        programs = callers.get(name, [])
        text = ", ".join(programs[:SHOWN_PROGRAMS])
        if len(programs) > SHOWN_PROGRAMS:
            text += f" and {len(programs) - SHOWN_PROGRAMS} more"
        yield name, modes[name], text or "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", required=True, type=pathlib.Path, help="folder that OUTBOARD_CALL_LOG named")
    args = parser.parse_args()
    if not args.logs.is_dir():
        parser.error(f"{args.logs} is no folder; run the tests with OUTBOARD_CALL_LOG={args.logs}")
    model = load.load(ROOT / "protocol/registry")
    # Names of graphics systems are not part of the API proper, and no client machine has those systems.
    graphics = {base_of(symbol) for symbol, function in model.facts.functions.items() if function.graphics}
    names = sorted(set(model.facts.versions) - graphics)
    modes, callers = modes_of(model.registry), read_logs(args.logs)
    table = list(rows(names, modes, callers))
    width = max(len(name) for name in names)
    for name, mode, programs in table:
        print(f"{name:<{width}}  {mode:<11}  {programs}")
    missing = [(name, mode) for name, mode, programs in table if programs == "-"]
    print(f"\n{len(names)} names, {len(names) - len(missing)} called by a program, {len(missing)} by none"
          f"{':' if missing else '.'}")
    for mode in ("generated", "custom", "local", "unsupported"):
        of_mode = [name for name, its_mode in missing if its_mode == mode]
        if of_mode:
            print(f"  {mode}, {len(of_mode)}: {' '.join(of_mode)}")
    generated = [call for call in model.registry.calls if call.mode == "generated" and not call.same_as]
    print(f"Besides, tests that are generated from the registry try each of the {len(generated)} generated calls and each"
          f" of the {len(model.registry.messages)} commands of the worker, right and wrong; they are not counted above.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
