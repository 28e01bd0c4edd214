"""What the tests of programs that others made share. Such a program is one that is installed here or
not, so each test says which one it lacks and is counted as skipped."""
import argparse
import os
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "programs"), str(TESTS / "integration")]
from products import Products  # noqa: E402

SKIPPED = 77


class Missing(Exception):
    """What this machine lacks to try a program, as a sentence."""


def arguments(description, **extra):
    """The options that every test has, and `extra` ones: name=help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="build folder with bin/ and lib/")
    parser.add_argument("--limit", type=int, default=60, metavar="SECONDS", help="for each run")
    for name, text in extra.items():
        parser.add_argument(f"--{name}", required=True, help=text)
    return parser.parse_args()


def toolkit_libraries(*names):
    """The folder of NVIDIA's toolkit that has these libraries."""
    for home in [os.environ.get("CUDA_HOME"), "/usr/local/cuda"]:
        for folder in [f"{home}/lib64", f"{home}/lib"]:
            if home and all(os.path.exists(f"{folder}/{name}") for name in names):
                return folder
    raise Missing(f"{' and '.join(names)} of NVIDIA's toolkit are not here.")


def launches(result):
    """Kernels that ran, by the line that `outboard run` prints after the program."""
    found = re.findall(r"([\d,]+) launch", result[2])
    return int(found[-1].replace(",", "")) if found else 0


def outboard_line(result):
    """That line: calls, blocking round trips, bytes."""
    lines = [line for line in result[2].splitlines() if line.startswith("outboard: ") and " calls, " in line]
    return lines[-1] if lines else "no line of outboard's"


def main(test):
    """Runs test() and ends the process as ctest wants it."""
    try:
        problems = test()
    except Missing as missing:
        print(f"Skipped: {missing}")
        sys.exit(SKIPPED)
    for problem in problems:
        print(f"WRONG: {problem}")
    sys.exit(1 if problems else 0)


__all__ = ["Missing", "Products", "arguments", "launches", "main", "outboard_line",
           "toolkit_libraries"]
