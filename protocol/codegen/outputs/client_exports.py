"""client-lib/shim/*_gen.cc: the exported functions of the client's library, and their addresses."""
import json

from templating import parameter_list, render

# The C type of streams, and what a per-thread twin means by a null one; the only types of the API known here.
STREAM = "CUstream"


def _arguments(call, twin):
    parts = []
    for param in call.function.params:
        is_stream = param.type.spelling == STREAM
        parts.append(f"per_thread({param.name})" if twin and is_stream else param.name)
    if call.default_stream:
        parts.append("CU_STREAM_PER_THREAD" if twin else "CU_STREAM_LEGACY")
    return "".join(", " + part for part in parts)


def _export(call, symbol, twin, target):
    return {"symbol": symbol, "parameters": parameter_list(call.function.params), "before_init": call.before_init,
            "disturbs_captures": call.disturbs_captures,
            "reason": json.dumps(call.reason) if call.mode == "unsupported" else "", "target": target,
            "arguments": _arguments(call, twin)}


def files(model):
    registry, out = model.registry, {}
    for family in registry.families:
        exports = []
        for call in registry.calls_of(family):
            target = call.same_as or call.symbol
            exports.append(_export(call, call.symbol, False, target))
            if call.twin:
                exports.append(_export(call, call.twin, True, target))
        out[f"client-lib/shim/exports_{family}_gen.cc"] = render("client_exports.cc.j2", exports=exports)
    symbols = sorted(model.facts.functions)
    out["client-lib/shim/symbol_addresses_gen.h"] = render("symbol_addresses.h.j2")
    out["client-lib/shim/symbol_addresses_gen.cc"] = render("symbol_addresses.cc.j2", symbols=symbols)
    return out
