"""Types of message fields: how they are declared, encoded, decoded, and filled in tests."""
from dataclasses import dataclass

from model.errors import RegistryError

# name -> (C++ type, write expression, read expression, fewest bytes on the wire, test value)
PRIMITIVES = {
    "bool": ("bool", "writer.boolean({})", "reader.boolean()", 1, "true"),
    "u8": ("uint8_t", "writer.u8({})", "reader.u8()", 1, "uint8_t(200 + {n} % 50)"),
    "u16": ("uint16_t", "writer.varint({})", "reader.varint_as<uint16_t>()", 1, "uint16_t(40000 + {n})"),
    "u32": ("uint32_t", "writer.varint({})", "reader.varint_as<uint32_t>()", 1, "uint32_t(4000000000u + {n})"),
    "u64": ("uint64_t", "writer.varint({})", "reader.varint()", 1, "uint64_t(0x7f00'0000'0000'0000u + {n})"),
    "i32": ("int32_t", "writer.zigzag({})", "reader.zigzag_as<int32_t>()", 1, "int32_t(-2000000000 + {n})"),
    "i64": ("int64_t", "writer.zigzag({})", "reader.zigzag()", 1, "int64_t(-0x7f00'0000'0000'0000 + {n})"),
    "f32": ("float", "writer.f32({})", "reader.f32()", 4, "float({n}) + 0.5f"),
    "f64": ("double", "writer.f64({})", "reader.f64()", 8, "double({n}) + 0.5"),
    "handle": ("Handle", "writer.handle({})", "reader.handle()", 2, "Handle{{{n} + 300u, 70000u}}"),
}


@dataclass(frozen=True)
class FieldType:
    """`kind`: primitive, string, bytes, pod, record or array; `name`: of the primitive, struct or record."""

    kind: str
    name: str = ""
    element: "FieldType | None" = None

    def cpp(self, owning):
        if self.kind == "primitive":
            return PRIMITIVES[self.name][0]
        if self.kind == "string":
            return "std::string" if owning else "std::string_view"
        if self.kind == "bytes":
            return "std::vector<std::byte>" if owning else "std::span<const std::byte>"
        if self.kind == "array":
            return f"std::vector<{self.element.cpp(owning)}>"
        if self.kind == "record":
            return self.name
        return f"::{self.name}"

    @property
    def has_views(self):
        """Whether the non-owning form points into memory of others. Records own what they hold."""
        return self.kind in ("string", "bytes") or (self.kind == "array" and self.element.has_views)

    def initial(self):
        if self.kind == "primitive":
            return {"bool": " = false", "handle": ""}.get(self.name, " = 0")
        return "{}" if self.kind == "pod" else ""  # clears padding, which would travel otherwise

    def least_bytes(self, records):
        if self.kind == "primitive":
            return PRIMITIVES[self.name][3]
        if self.kind == "record":
            return max(1, sum(f.type.least_bytes(records) for f in records[self.name].fields))
        return 1

    def encode(self, expression, depth=0):
        if self.kind == "primitive":
            return [PRIMITIVES[self.name][1].format(expression) + ";"]
        if self.kind in ("string", "bytes", "pod"):
            return [f"writer.{self.kind}({expression});"]
        if self.kind == "record":
            return [f"{expression}.encode(writer);"]
        item = f"item{depth or ''}"
        return [f"writer.varint({expression}.size());", f"for (const auto& {item} : {expression}) {{",
                *("  " + line for line in self.element.encode(item, depth + 1)), "}"]

    def decode(self, target, owning, records, depth=0):
        if self.kind == "primitive":
            return [f"{target} = {PRIMITIVES[self.name][2]};"]
        if self.kind == "string":
            return [f"{target} = reader.string();"]
        if self.kind == "bytes":
            return [f"{target} = reader.bytes();"] if not owning else [f"assign({target}, reader.bytes());"]
        if self.kind == "pod":
            return [f"{target} = reader.pod<::{self.name}>();"]
        if self.kind == "record":
            return [f"{target}.read(reader);"]
        item = f"item{depth or ''}"
        return [f"{target}.resize(array_count(reader, {self.element.least_bytes(records)}));",
                f"for (auto& {item} : {target}) {{",
                *("  " + line for line in self.element.decode(item, owning, records, depth + 1)), "}"]

    def fill(self, target, number, depth=0):
        """Statements that give a test message a value; views point at static storage."""
        if self.kind == "primitive":
            return [f"{target} = {PRIMITIVES[self.name][4].format(n=number)};"]
        if self.kind == "string":
            return [f'{target} = "field {number}";']
        if self.kind == "bytes":
            return [f"{target} = {{kSomeBytes.begin(), kSomeBytes.begin() + {1 + number % 7}}};"]
        if self.kind == "pod":
            return [f"fill_bytes({target}, {number});"]
        if self.kind == "record":
            return [f"fill({target});"]
        item = f"item{depth or ''}"
        return [f"{target}.resize({2 - min(depth, 1)});", f"for (auto& {item} : {target}) {{",
                *("  " + line for line in self.element.fill(item, number, depth + 1)), "}"]


@dataclass
class Field:
    name: str
    type: FieldType


@dataclass
class Record:
    """A struct inside messages; always owns what it holds."""

    name: str
    fields: list


@dataclass
class Message:
    name: str
    family: str
    request: list
    reply: list
    handwritten: bool          # from messages/*.yaml, handled by hand-written server code
    no_reply: bool = False
    waits: bool = False
    bulk: str = ""             # "", "request" or "reply"
    reply_on_error: bool = False
    effects: frozenset = frozenset()
    opcode: int = 0


EFFECTS = ("launches", "accesses", "allocates", "frees", "creates", "destroys")
_RESERVED = {"reader", "writer", "kOpcode", "Reply"}


def parse_field_type(text, where, records, structs, facts):
    """`structs` translates structs of the API to their records on the wire."""
    if isinstance(text, list) and len(text) == 1:
        element = parse_field_type(text[0], where, records, structs, facts)
        if element.kind == "primitive" and element.name == "bool":
            raise RegistryError(where, "an array of bool is not supported; use u8.")
        return FieldType("array", element=element)
    text = str(text)
    if text in PRIMITIVES:
        return FieldType("primitive", text)
    if text in ("string", "bytes"):
        return FieldType(text)
    if text in records:
        return FieldType("record", text)
    entry = facts.resolve(text)
    if entry and entry["kind"] in ("struct", "union"):
        return structs.field_type(text, where)
    raise RegistryError(where, f"the field type '{text}' is unknown; see README.md for the types.")


def check_fields(fields, where):
    names = [f.name for f in fields]
    for name in names:
        if names.count(name) > 1 or name in _RESERVED:
            raise RegistryError(where, f"the field name '{name}' is used twice or reserved; choose another.")
