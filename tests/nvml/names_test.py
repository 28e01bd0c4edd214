#!/usr/bin/python3
"""Every function that NVML 13 has is in each libnvidia-ml.so.1 of ours: tools look for all that they know
of, and some give up, or crash, where one is missing. Before nvmlInit each says so, but for those that need
none."""
import argparse
import ctypes
import pathlib
import sys

UNINITIALIZED = 1
# They work before nvmlInit, or are it.
WITHOUT_INIT = {"nvmlErrorString", "nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="build folder with lib/")
    args = parser.parse_args()
    names = (pathlib.Path(__file__).parent / "nvml_13_names.txt").read_text().split()
    wrong = []
    for library in (args.build / "lib/libnvidia-ml.so.1", args.build / "lib/softgpu/libnvidia-ml.so.1"):
        loaded = ctypes.CDLL(str(library))
        for name in names:
            function = getattr(loaded, name, None)
            if function is None:
                wrong.append(f"{library} has no {name}.")
            elif name not in WITHOUT_INIT and (result := function(None, None, None, None)) != UNINITIALIZED:
                wrong.append(f"{name} of {library} returns {result} before nvmlInit, not {UNINITIALIZED}.")
    print("\n".join(wrong) or f"all {len(names)} names are there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
