#!/usr/bin/env python3
"""Writes every generated file from protocol/registry. CMake runs it; see deploy/cmake/OutboardCodegen.cmake."""
import argparse
import pathlib
import sys
from dataclasses import dataclass

import yaml

from model import facts
from model.errors import RegistryError
from outputs import cuda_abi, driver_api, error_names, proc_table

OUTPUTS = [cuda_abi, proc_table, error_names, driver_api]


@dataclass
class Model:
    facts: facts.Facts
    error_texts: dict


def load(registry):
    return Model(facts=facts.load(registry / "cuda_facts.json"),
                 error_texts=yaml.load((registry / "error_texts.yaml").read_text(), yaml.CSafeLoader))


def write_if_different(path, text):
    """Keeps the time stamp of what did not change, so that nothing is compiled for nothing."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--stamp", type=pathlib.Path, help="touched after success")
    args = parser.parse_args()
    try:
        model = load(args.registry)
        for output in OUTPUTS:
            for path, text in output.files(model).items():
                write_if_different(args.output / path, text)
    except RegistryError as error:
        sys.exit(f"error: {error}")
    if args.stamp:
        args.stamp.touch()


if __name__ == "__main__":
    main()
