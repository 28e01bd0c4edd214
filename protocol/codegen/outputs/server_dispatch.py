"""server/worker/*_gen.*: from the bytes of a command to the driver's function, or to a hand-written handler."""
from outputs import server_bodies
from templating import render


def _forms(message):
    """The parameters of a hand-written handler."""
    name = message.name
    if message.waits:
        bulk = ", BulkBuffer&" if message.bulk == "reply" else ""
        return f"Worker& worker, const wire::{name}Request& request, std::function<CUresult(wire::{name}Reply&{bulk})>& work"
    if message.bulk == "request":
        return f"Worker& worker, const wire::{name}Request& request, std::span<const std::byte> bulk, wire::{name}Reply& reply"
    bulk = ", BulkBuffer& bulk" if message.bulk == "reply" else ""
    return f"Worker& worker, const wire::{name}Request& request, wire::{name}Reply& reply{bulk}"


def files(model):
    registry = model.registry
    calls = {call.message.name: call for call in registry.calls if call.message}
    handwritten = [{"name": m.name, "parameters": _forms(m)} for m in registry.messages if m.handwritten]
    out = {
        "server/worker/dispatch_gen.h": render("dispatch.h.j2"),
        "server/worker/dispatch_support_gen.h": render("dispatch_support.h.j2", messages=registry.messages),
        "server/worker/dispatch_gen.cc": render("dispatch.cc.j2", messages=registry.messages),
        "server/worker/handlers_gen.h": render("handlers.h.j2", families=registry.families, handlers=handwritten),
        "server/worker/structs_gen.h": render("server_structs.h.j2", structs=model.structs.used()),
        "server/worker/structs_gen.cc": render("server_structs.cc.j2", structs=model.structs.used()),
    }
    for family in registry.families:
        functions = [{"m": m, "lines": None if m.handwritten else server_bodies.lines(calls[m.name])}
                     for m in registry.messages_of(family)]
        out[f"server/worker/dispatch_{family}_gen.cc"] = render("dispatch_family.cc.j2", family=family, functions=functions)
    return out
