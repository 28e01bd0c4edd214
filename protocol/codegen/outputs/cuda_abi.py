"""protocol/abi/cuda_abi_gen.h: every type and prototype of the driver API, usable without a toolkit."""
from model.facts import declare
from templating import render


def _record_lines(record, indent):
    pad = "  " * indent
    for field in record["fields"]:
        if "record" in field:
            nested = field["record"]
            tag = f" {nested['name']}" if "name" in nested else ""
            yield f"{pad}{nested['kind']}{tag} {{"
            yield from _record_lines(nested, indent + 1)
            yield f"{pad}}} {field['name']}{field.get('array', '')};".replace("} ;", "};")
        else:
            yield f"{pad}{declare(field['type'], field['name'])};"


def _type_text(entry):
    kind, name = entry["kind"], entry["name"]
    if kind == "enum":
        values = "".join(f"  {n} = {v},\n" for n, v in entry["values"])
        return f"enum {name} {{\n{values}}};"
    if kind == "opaque":
        const = "const " if entry["const"] else ""
        return f"typedef {const}struct {entry['tag']}* {name};"
    if kind == "typedef":
        return f"typedef {declare(entry['type'], name)};"
    # Only over-aligned records need alignas; the alignment of all others follows from their fields.
    align = f" alignas({entry['align']})" if entry["align"] > 8 else ""
    body = "\n".join(_record_lines(entry, 1))
    return f"{kind}{align} {name} {{\n{body}\n}};"


def _constant_text(name, value):
    if isinstance(value, int):
        return f"#define {name} {value if value >= 0 else f'({value})'}"
    if "enumerator" in value:
        return f"#define {name} {value['enumerator']}"
    return f"#define {name} (({value['type']}){value['value']})"


def _layout_checks(entry):
    yield f"static_assert(sizeof({entry['name']}) == {entry['size']});"
    for path, offset in entry["offsets"].items():
        yield f"static_assert(offsetof({entry['name']}, {path}) == {offset});"


def files(model):
    facts = model.facts
    types = [_type_text(entry) for entry in facts.types]
    records = [entry for entry in facts.types if entry["kind"] in ("struct", "union")]
    return {
        "protocol/abi/cuda_abi_gen.h": render(
            "cuda_abi.h.j2", types=types, constants=[_constant_text(n, v) for n, v in facts.constants.items()],
            sizes=[next(_layout_checks(entry)) for entry in records], functions=facts.functions.values()),
        "protocol/abi/cuda_abi_layout_gen.cc": render(
            "cuda_abi_layout.cc.j2", checks=[line for entry in records for line in _layout_checks(entry)]),
    }
