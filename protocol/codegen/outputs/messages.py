"""protocol/wire/messages_<family>_gen.* and records_gen.*: what commands and replies hold."""
from templating import render


def _fields(fields, owning):
    return [f"{f.type.cpp(owning)} {f.name}{f.type.initial()};" for f in fields]


def _encode(fields):
    return [line for f in fields for line in f.type.encode(f.name)]


def _decode(fields, owning, records, target):
    return [line for f in fields for line in f.type.decode(target + f.name, owning, records)]


def _in_order(records):
    """Records before those that hold them."""
    done = {}

    def visit(record):
        for field in record.fields:
            inner = field.type.element or field.type
            if inner.kind == "record" and inner.name not in done:
                visit(records[inner.name])
        done[record.name] = record

    for name in sorted(records):
        if name not in done:
            visit(records[name])
    return list(done.values())


def files(model):
    registry = model.registry
    records = [{"name": r.name, "fields": _fields(r.fields, True), "encode": _encode(r.fields),
                "decode": _decode(r.fields, True, registry.records, "")} for r in _in_order(registry.records)]
    out = {"protocol/wire/records_gen.h": render("records.h.j2", records=records),
           "protocol/wire/records_gen.cc": render("records.cc.j2", records=records)}
    for family in registry.families:
        messages = [{
            "name": m.name, "touches_memory": bool(m.effects & {"launches", "accesses"}),
            "request": _fields(m.request, False), "reply": _fields(m.reply, True),
            "encode_request": _encode(m.request), "encode_reply": _encode(m.reply),
            "decode_request": _decode(m.request, False, registry.records, "message."),
            "decode_reply": _decode(m.reply, True, registry.records, "message."),
        } for m in registry.messages_of(family)]
        out[f"protocol/wire/messages_{family}_gen.h"] = render("messages.h.j2", family=family, messages=messages)
        out[f"protocol/wire/messages_{family}_gen.cc"] = render("messages.cc.j2", family=family, messages=messages)
    return out
