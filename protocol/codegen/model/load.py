"""Reads everything under protocol/registry."""
import hashlib
from dataclasses import dataclass

import yaml

from model import facts, opcodes, registry
from model.handles import Handles
from model.structs import Structs


@dataclass
class Model:
    facts: facts.Facts
    registry: registry.Registry
    structs: Structs
    error_texts: dict

    def fingerprint(self):
        """Changes whenever the layout of any message changes."""
        text = "\n".join(f"{m.opcode} {m.name} {m.request} {m.reply} {m.bulk} {m.reply_on_error}" for m in self.registry.messages)
        text += "\n".join(f"{r}" for _, r in sorted(self.registry.records.items()))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _yaml(path):
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def load(folder, numbered=True):
    """`numbered`: false when opcodes.lock is about to be completed."""
    known = facts.load(folder / "cuda_facts.json")
    spec = _yaml(folder / "handles.yaml")
    handles = Handles(known, spec)
    structs = Structs(known, handles, _yaml(folder / "structs.yaml") or {})
    families = registry.Loader(known, handles, structs, spec["symbol_prefix"]).load(folder)
    if numbered:
        lock = folder / "opcodes.lock"
        opcodes.assign(families.messages, opcodes.parse(lock.read_text() if lock.exists() else ""))
        families.messages.sort(key=lambda message: message.opcode)
    return Model(known, families, structs, _yaml(folder / "error_texts.yaml"))
