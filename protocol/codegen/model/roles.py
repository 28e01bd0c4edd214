"""What each parameter of a generated call is: inferred from its type, or said by the registry."""
from dataclasses import dataclass

from model.errors import RegistryError
from model.wire_types import Field, FieldType

# C's own types on the wire.
INTEGERS = {
    "unsigned char": "u8", "char": "u8", "unsigned short": "u16", "unsigned int": "u32", "uint32_t": "u32",
    "int": "i32", "size_t": "u64", "unsigned long": "u64", "unsigned long long": "u64", "uint64_t": "u64",
    "long long": "i64", "float": "f32", "double": "f64",
}
RULES = {"new", "existing", "in", "out", "inout", "must_be_null", "ignored", "string", "array", "bytes", "sized_by", "optional",
         "sizes", "direction", "address"}


@dataclass
class Role:
    """`what`: value, device, struct, handle, string, array, bytes, sized, null or ignored.
    `direction`: in, out, inout or new (a handle that the client chooses)."""

    param: object
    what: str
    direction: str
    element: "Element | None" = None
    pointer: bool = False     # the C parameter is a pointer to it
    optional: bool = False    # may be null
    count: str = ""           # array: the parameter that holds the number of elements, or a fixed number...
    count_less: int = 0       # ...minus this
    counts_back: bool = False  # array: that parameter is a pointer, through which the call says how many there were
    size: str = ""            # bytes: the parameter that holds the number of bytes
    selector: str = ""        # sized: the parameter whose value selects the size
    sizes: dict | None = None

    @property
    def name(self):
        return self.param.name

    @property
    def has_fixed_count(self):
        return self.count.isdigit()

    @property
    def returns(self):
        """Whether the caller gives storage for it."""
        return self.direction in ("out", "inout", "new")


@dataclass
class Element:
    """One value: `what` is value, device, struct or handle."""

    what: str
    ctype: str                # as declared, without const and star
    field: FieldType
    kind: str = ""            # HandleKind, of a handle


class Inference:
    def __init__(self, facts, handles, structs):
        self._facts, self._handles, self._structs = facts, handles, structs

    def element(self, base, where):
        if self._handles.is_device(base):
            return Element("device", base, FieldType("primitive", "i32"))
        if kind := self._handles.kind_of(base, where):
            return Element("handle", base, FieldType("primitive", "handle"), kind)
        entry = self._facts.resolve(base)
        if entry and entry["kind"] in ("struct", "union"):
            return Element("struct", base, self._structs.field_type(base, where))
        if entry and entry["kind"] == "enum":
            return Element("value", base, FieldType("primitive", "u32"))
        wire = INTEGERS.get(self._facts.underlying(base))
        if wire is None:
            raise RegistryError(where, f"there is no rule for the type {base}; say what it is in the registry.")
        return Element("value", base, FieldType("primitive", wire))

    def role(self, param, rule, where):
        where = f"{where}, parameter {param.name}"
        unknown = set(rule) - RULES
        if unknown:
            raise RegistryError(where, f"unknown rule {', '.join(sorted(unknown))}; README.md lists the rules.")
        if rule.get("must_be_null") or rule.get("ignored"):
            return Role(param, "null" if rule.get("must_be_null") else "ignored", "in")
        if rule.get("string"):
            return Role(param, "string", "in", optional=bool(rule.get("optional")))
        if rule.get("address"):  # of the device, whatever its C type
            return Role(param, "value", "in", Element("value", param.type.spelling, FieldType("primitive", "u64")))
        if param.type.stars == 0:
            return self._by_value(param, rule, where)
        return self._pointer(param, rule, where)

    def _by_value(self, param, rule, where):
        element = self.element(param.type.base, where)
        return Role(param, element.what, "in", element, optional=bool(rule.get("optional")))

    def _pointer(self, param, rule, where):
        optional = bool(rule.get("optional"))
        if "bytes" in rule:
            return Role(param, "bytes", "out", pointer=True, optional=optional, size=rule["bytes"])
        if "sized_by" in rule:
            if not rule.get("sizes"):
                raise RegistryError(where, "sized_by needs sizes: a table of enumerators and bytes.")
            return Role(param, "sized", rule.get("direction", "out"), pointer=True, selector=rule["sized_by"],
                        sizes=rule["sizes"])
        if param.type.stars > 1 or param.type.base == "void":
            raise RegistryError(where, f"the pointer '{param.type.spelling}' has no rule; say whether it is bytes, sized_by,"
                                " string, null or ignored, or make the call custom.")
        if param.type.base == "char":
            raise RegistryError(where, "a char pointer needs a rule: string or bytes.")
        element = self.element(param.type.base, where)
        direction = self._direction(param, rule, element)
        if "array" in rule:
            count, _, less = (part.strip() for part in str(rule["array"]).partition("-"))
            return Role(param, "array", direction, element, pointer=True, optional=optional, count=count,
                        count_less=int(less or 0))
        return Role(param, element.what, direction, element, pointer=True, optional=optional)

    @staticmethod
    def _direction(param, rule, element):
        if rule.get("inout"):
            return "inout"
        if rule.get("in") or param.type.const:
            return "in"
        if element.what == "handle" and "array" not in rule and not rule.get("existing"):
            return "new"
        return "out"


def request_fields(role):
    """What a parameter adds to the request."""
    if role.what in ("null", "ignored"):
        return []
    if role.what == "string":
        return [Field(role.name, FieldType("string"))]
    if role.what == "array":
        if role.direction == "in":
            return [Field(role.name, FieldType("array", element=role.element.field))]
        return [Field(f"wants_{role.name}", FieldType("primitive", "bool"))]
    if role.what in ("bytes", "sized"):
        return [Field(role.name, FieldType("bytes"))] if role.direction == "in" else []
    fields = []
    if role.direction in ("in", "inout", "new"):
        if role.optional and role.pointer and role.what != "handle":
            fields.append(Field(f"has_{role.name}", FieldType("primitive", "bool")))
        fields.append(Field(role.name, role.element.field))
    return fields


def reply_fields(role):
    if role.what == "array":
        return [Field(role.name, FieldType("array", element=role.element.field))] if role.direction == "out" else []
    if role.what in ("bytes", "sized"):
        return [Field(role.name, FieldType("bytes"))] if role.direction == "out" else []
    if role.direction in ("out", "inout") and role.element:
        return [Field(role.name, role.element.field)]
    return []
