"""client-lib/calls/*_gen.*: declarations of all calls, and the bodies of generated ones."""
from outputs import client_bodies
from templating import parameter_list, render


def signature(call):
    """Parameters after Client&."""
    text = parameter_list(call.function.params)
    if call.default_stream:
        text += (", " if text else "") + "CUstream default_stream"
    return ", " + text if text else ""


def files(model):
    registry = model.registry
    declared = [{"symbol": c.symbol, "parameters": signature(c), "mode": c.mode} for c in registry.calls if c.declared]
    out = {
        "client-lib/calls/calls_gen.h": render("client_calls.h.j2", calls=declared),
        "client-lib/calls/call_support_gen.h": render("client_call_support.h.j2"),
        "client-lib/calls/structs_gen.h": render("client_structs.h.j2", structs=model.structs.used()),
        "client-lib/calls/structs_gen.cc": render("client_structs.cc.j2", structs=model.structs.used()),
    }
    for family in registry.families:
        bodies = [{"symbol": c.symbol, "parameters": signature(c), "lines": client_bodies.lines(c)}
                  for c in registry.calls_of(family) if c.mode == "generated" and not c.same_as]
        out[f"client-lib/calls/generated_{family}_gen.cc"] = render("client_bodies.cc.j2", family=family, calls=bodies)
    return out
