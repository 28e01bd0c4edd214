#!/usr/bin/env python3
"""Writes every generated file from protocol/registry. CMake runs it; see deploy/cmake/OutboardCodegen.cmake."""
import argparse
import pathlib
import sys

from model import load, opcodes
from model.errors import RegistryError
from outputs import OUTPUTS, coverage


def write_if_different(path, text):
    """Keeps the time stamp of what did not change, so that nothing is compiled for nothing."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def append_opcodes(registry):
    lock = registry / "opcodes.lock"
    text = lock.read_text() if lock.exists() else ""
    model = load.load(registry, numbered=False)
    write_if_different(lock, opcodes.append(text, [message.name for message in model.registry.messages]))


def generate(registry, output):
    model = load.load(registry)
    for module in OUTPUTS:
        for path, text in module.files(model).items():
            write_if_different(output / path, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", required=True, type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--stamp", type=pathlib.Path, help="touched after success")
    parser.add_argument("--append-opcodes", action="store_true", help="number new messages in opcodes.lock")
    parser.add_argument("--coverage", type=pathlib.Path, help="write docs/api-coverage.md here")
    args = parser.parse_args()
    try:
        if args.append_opcodes:
            append_opcodes(args.registry)
        if args.output:
            generate(args.registry, args.output)
        if args.coverage:
            write_if_different(args.coverage, coverage.page(load.load(args.registry)))
    except RegistryError as error:
        sys.exit(f"error: {error}")
    if args.stamp:
        args.stamp.touch()


if __name__ == "__main__":
    main()
