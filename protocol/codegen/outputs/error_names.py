"""protocol/abi/error_names_gen.*: names and descriptions of error codes."""
import json

from model.errors import RegistryError
from templating import render


def files(model):
    codes = model.facts.resolve("CUresult")["values"]
    texts = model.error_texts
    for name, _ in codes:
        if not texts.get(name):
            raise RegistryError("error_texts.yaml", f"{name} has no description; add a few words of ours.")
    for name in texts:
        if name not in {n for n, _ in codes}:
            raise RegistryError("error_texts.yaml", f"{name} is not an error code of this API; remove it.")
    errors = [(name, json.dumps(texts[name])) for name, _ in codes]
    return {
        "protocol/abi/error_names_gen.h": render("error_names.h.j2"),
        "protocol/abi/error_names_gen.cc": render("error_names.cc.j2", errors=errors),
    }
