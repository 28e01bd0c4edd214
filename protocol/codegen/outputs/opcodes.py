"""protocol/wire/opcodes_gen.*: numbers, names and traits of messages."""
from templating import render


def files(model):
    messages = model.registry.messages
    values = {"messages": messages, "revision": max(m.opcode for m in messages), "fingerprint": f"0x{model.fingerprint():016x}u"}
    return {"protocol/wire/opcodes_gen.h": render("opcodes.h.j2", **values),
            "protocol/wire/opcodes_gen.cc": render("opcodes.cc.j2", **values)}
