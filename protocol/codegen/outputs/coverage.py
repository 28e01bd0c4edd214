"""docs/api-coverage.md: what every exported function does. Checked in; a test compares it with the registry."""
from model.registry import MODES
from templating import render

MEANING = {
    "generated": "both sides come from the registry",
    "custom": "written by hand in client-lib/calls, uses the server",
    "local": "answered in the client",
    "unsupported": "returns CUDA_ERROR_NOT_SUPPORTED, says why once",
}


def _note(call):
    if call.same_as:
        return f"the same as {call.same_as}"
    if call.reason:
        return call.reason
    notes = []
    message = call.message
    if message and message.no_reply:
        notes.append("nobody waits")
    if message and message.waits:
        notes.append("waits for the device")
    if message and call.mode == "custom":
        notes.append("its server side is generated")
    return "; ".join(notes)


def page(model):
    registry = model.registry
    count = {mode: sum(1 for c in registry.calls if c.mode == mode) for mode in MODES}
    symbols = {mode: sum(1 + bool(c.twin) for c in registry.calls if c.mode == mode) for mode in MODES}
    families = [{
        "name": family.replace("_", " "),
        "counts": [sum(1 for c in registry.calls_of(family) if c.mode == mode) for mode in MODES],
        "calls": [{"symbol": c.symbol, "twin": c.twin.removeprefix(c.symbol), "mode": c.mode, "note": _note(c)}
                  for c in sorted(registry.calls_of(family), key=lambda c: c.symbol)],
    } for family in registry.families]
    version = model.facts.cuda_version
    return render("coverage.md.j2", modes=MODES, meaning=MEANING, count=count, symbols=symbols, families=families,
                  total=len(registry.calls), total_symbols=len(model.facts.functions),
                  version=f"{version // 1000}.{version % 1000 // 10}")
