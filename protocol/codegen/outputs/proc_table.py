"""protocol/abi/proc_table_gen.*: which version of a function a program gets that asks by name and version."""
from model.errors import RegistryError
from templating import render


def _versions(facts, name, entry):
    """The n-th version of X in ascending order is exported as X, X_v2, X_v3..."""
    for position, introduced in enumerate(entry.get("plain", [])):
        symbol = name if position == 0 else f"{name}_v{position + 1}"
        if symbol not in facts.functions:
            raise RegistryError("cuda_facts.json", f"version {introduced} of {name} should be the symbol {symbol},"
                                " which is not exported; extract the snapshot anew.")
        yield introduced, symbol, facts.twin_of(symbol)


def files(model):
    facts = model.facts
    names = [(name, list(_versions(facts, name, entry))) for name, entry in sorted(facts.versions.items())]
    return {
        "protocol/abi/proc_table_gen.h": render("proc_table.h.j2"),
        "protocol/abi/proc_table_gen.cc": render("proc_table.cc.j2", names=names),
    }
