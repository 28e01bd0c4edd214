"""Structs of the API on the wire: copied as they lie, unless they hold handles, device numbers or pointers."""
import re
from dataclasses import dataclass

from model.errors import RegistryError
from model.facts import CType
from model.wire_types import Field, FieldType, Record


@dataclass(frozen=True)
class Spot:
    """One place inside a struct that does not mean the same on both sides."""

    path: str          # as offsetof names it
    role: str          # handle, device or null
    ctype: str
    kind: str = ""     # HandleKind enumerator, of a handle
    when: str = ""     # C++ condition over `value`; empty: always

    @property
    def field_name(self):
        return self.path.replace(".", "_")


class Structs:
    """What structs.yaml says, completed by what the layouts show."""

    def __init__(self, facts, handles, rules):
        self._facts, self._handles, self._rules = facts, handles, rules
        self._spots = {}
        self._used = {}
        for name in rules:
            entry = facts.resolve(name)
            if not entry or entry["kind"] not in ("struct", "union"):
                raise RegistryError("structs.yaml", f"{name} is not a struct of this API; remove it.")
            if rules[name].get("unsupported") is None:
                self._check_paths(name, entry)

    def _check_paths(self, name, entry):
        for path in (self._rules[name].get("fields") or {}):
            if path not in entry["offsets"]:
                raise RegistryError(f"structs.yaml: {name}", f"there is no field '{path}'; the snapshot has: "
                                    f"{', '.join(entry['offsets'])}.")

    def spots(self, name, where):
        """Every handle, device number and pointer inside; refuses what no rule explains."""
        canonical = self._facts.resolve(name)["name"]
        if canonical not in self._spots:
            rule = self._rules.get(name) or self._rule_of_canonical(canonical)
            if rule.get("unsupported"):
                raise RegistryError(where, f"{name} cannot travel: {rule['unsupported']}")
            self._spots[canonical] = list(self._find(name, self._facts.resolve(name), "", rule.get("fields") or {}, where))
        return self._spots[canonical]

    def _rule_of_canonical(self, canonical):
        return next((rule for name, rule in self._rules.items() if self._facts.resolve(name)["name"] == canonical), {})

    def _find(self, name, record, prefix, rules, where):
        for field in record["fields"]:
            path = prefix + field["name"]
            rule = rules.get(path, {})
            if rule.get("raw"):
                continue
            if "record" in field:
                inner = path + "." if field["name"] else prefix
                if "array" in field:
                    raise RegistryError(where, f"{name}.{path} is an array of structs; give it a rule in structs.yaml.")
                yield from self._find(name, field["record"], inner, rules, where)
            else:
                yield from self._field(name, field["type"], path, rule, where)

    def _field(self, name, spelling, path, rule, where):
        match = re.fullmatch(r"(.*?)\[(\d+)\]", spelling)
        ctype, count = CType.parse(match.group(1) if match else spelling), match is not None
        when = rule.get("when", "")
        if rule.get("device"):
            yield Spot(path, "device", ctype.spelling, when=when)
        elif ctype.stars or "(*)" in spelling or self._is_function(ctype.base):
            if not rule.get("must_be_null"):
                raise RegistryError(where, f"{name}.{path} is a pointer without a rule; say in structs.yaml that it must be"
                                    " null, or that the struct cannot travel.")
            yield Spot(path, "null", ctype.spelling, when=when)
        elif handle := self._handles.kind_of(ctype.base, where):
            if count:
                raise RegistryError(where, f"{name}.{path} is an array of handles; say in structs.yaml that it cannot travel.")
            yield Spot(path, "handle", ctype.base, kind=handle, when=when)
        elif (entry := self._facts.resolve(ctype.base)) and entry["kind"] in ("struct", "union"):
            for spot in self.spots(ctype.base, where):
                condition = spot.when.replace("value.", f"value.{path}.")
                yield Spot(f"{path}.{spot.path}", spot.role, spot.ctype, spot.kind,
                           " && ".join(c for c in (when, condition) if c))

    def _is_function(self, base):
        return "(" in (self._facts.underlying(base) or "")

    def field_type(self, name, where):
        """pod if nothing inside needs translation, else the record that carries it."""
        spots = self.spots(name, where)
        if not spots:
            return FieldType("pod", name)
        canonical = self._facts.resolve(name)["name"]
        if canonical not in self._used:
            carriers = [Field(s.field_name, FieldType("primitive", "handle")) for s in spots if s.role == "handle"]
            record = Record(f"{name}Wire", [Field("value", FieldType("pod", name)), *carriers])
            self._used[canonical] = (name, record, spots)
        return FieldType("record", self._used[canonical][1].name)

    def used(self):
        """(struct name, record, spots) of every translated struct that a message uses, in order of first use."""
        return list(self._used.values())
