"""tests/wire/messages_*_gen_test.cc: every message survives a round trip, and no part of it passes for a whole."""
from templating import render


def _fill(fields, target):
    return [line for number, f in enumerate(fields, 1) for line in f.type.fill(f"{target}.{f.name}", number)]


def files(model):
    registry = model.registry
    records = [{"name": r.name, "lines": _fill(r.fields, "record")} for r in registry.records.values()]
    families = [f for f in registry.families if registry.messages_of(f)]
    out = {"tests/wire/message_samples_gen.h": render("message_samples.h.j2", records=records, families=families)}
    for family in registry.families:
        messages = [{"name": m.name, "request": _fill(m.request, "message"), "reply": _fill(m.reply, "message")}
                    for m in registry.messages_of(family)]
        out[f"tests/wire/messages_{family}_gen_test.cc"] = render("message_tests.cc.j2", family=family, messages=messages)
    return out
