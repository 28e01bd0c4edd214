"""tests/client/generated_calls_gen.cc: what each generated call of the client refuses, and what it passes on."""
from templating import render

# Room for anything that a pointer of the API may point at.
_ROOM = 512
# What CUDA says of a handle that is none, where it is not CUDA_ERROR_INVALID_HANDLE.
_UNKNOWN = dict.fromkeys(("kContext", "kGreenContext"), "CUDA_ERROR_INVALID_CONTEXT") | dict.fromkeys(
    ("kGraph", "kGraphNode", "kGraphExec", "kUserObject", "kDevResourceDesc"), "CUDA_ERROR_INVALID_VALUE")


def _count_values(call):
    """Parameter -> how many elements the longest of the test's arrays has, so that none is empty."""
    counts = {}
    for role in call.roles:
        if role.what == "array" and not role.has_fixed_count:
            counts[role.count] = max(counts.get(role.count, 0), 1 + role.count_less)
    return counts


def _value(call, role):
    """An expression for a parameter that is passed by value."""
    ctype = role.param.type.spelling
    selected = next((r for r in call.roles if r.selector == role.name), None)
    if selected:
        return f"static_cast<{ctype}>({next(iter(selected.sizes))})"
    if any(r.size == role.name for r in call.roles):
        return f"static_cast<{ctype}>({_ROOM})"
    count = _count_values(call).get(role.name)
    if role.element.ctype.endswith("*"):
        return f"reinterpret_cast<{ctype}>(uintptr_t{{0x1000}})"
    least = 1 if any(f"{role.name} != 0" in check or f"{role.name} > 0" in check for check, _ in call.checks) else 0
    return f"static_cast<{ctype}>({count or least})" if role.element.what == "value" else "{}"


def _declare(call, role):
    """Statements that make the argument, a variable of the parameter's name that tests may change."""
    name, ctype = role.name, role.param.type.spelling
    if role.what in ("null", "ignored"):
        return [f"{ctype} {name}{{}};"]
    if role.what == "string":
        return [f'const char* {name} = "name";']
    if role.what in ("bytes", "sized"):
        return [f"alignas(16) unsigned char {name}_room[{_ROOM}] = {{}};",
                f"auto {name} = reinterpret_cast<{ctype}>(&{name}_room);"]
    element = role.element
    live = f"handle_from_bits<{element.ctype}>(probe.live(HandleKind::{element.kind}))" if element.what == "handle" else "{}"
    if role.what == "array":
        return [f"{element.ctype} {name}_room[8] = {{{live if live != '{}' else ''}}};",
                f"{ctype} {name} = {name}_room;"]
    if role.pointer:
        count = _count_values(call).get(role.name)
        value = f"static_cast<{element.ctype}>({count})" if count else live
        return [f"{element.ctype} {name}_room = {value};", f"{ctype} {name} = &{name}_room;"]
    if element.what == "handle":
        return [f"{ctype} {name} = {live};"]
    return [f"{ctype} {name} = {_value(call, role)};"]


def _needed(role):
    """Whether a null pointer is refused."""
    if role.optional or role.what in ("null", "ignored"):
        return False
    return role.pointer or role.what == "string"


def _with(role, value, what, error):
    name = role.name
    return ["{", f"  const auto kept = {name};", f"  {name} = {value};", f'  probe.expect("{what} {name}", run(), {error});',
            f"  {name} = kept;", "}"]


def _refusals(call):
    body = []
    if call.needs_context:
        body.append("probe.without_context(run);")
    for role in call.roles:
        if _needed(role):
            body += _with(role, "nullptr", "a null", "CUDA_ERROR_INVALID_VALUE")
    for role in call.roles:
        if role.what == "handle" and not role.pointer:
            kind = role.element.kind
            error = _UNKNOWN.get(kind, "CUDA_ERROR_INVALID_HANDLE")
            for source in ("other", "dead"):
                value = f"handle_from_bits<{role.element.ctype}>(probe.{source}(HandleKind::{kind}))"
                body += _with(role, value, "a foreign" if source == "other" else "a dead", error)
        if role.what == "device" and not role.pointer:
            body += _with(role, "1000", "the device number 1000 as", "CUDA_ERROR_INVALID_DEVICE")
        if role.what == "sized":
            selector = next(r for r in call.roles if r.name == role.selector)
            body += _with(selector, f"static_cast<{selector.param.type.spelling}>(0x7fffffff)", "an unknown",
                          "CUDA_ERROR_INVALID_VALUE")
    return body


# A value that breaks the condition of a check, by what the condition says of a parameter.
_BREAKS = (("({} & ~", "~0u"), ("{} == 0", "1"), ("{} != 0", "0"))


def _broken_checks(call):
    """What the registry has checked in the client is refused there."""
    body = []
    for condition, error in call.checks:
        for role in (r for r in call.roles if r.what == "value" and not r.pointer):
            value = next((value for text, value in _BREAKS if text.format(role.name) in condition), None)
            if value is not None:
                body += _with(role, f"static_cast<{role.param.type.spelling}>({value})", "an impossible", error)
    return body


def _unknown_enumerators(call, facts):
    """Drivers know values that our headers do not: they travel as they are, and the driver judges."""
    body = []
    for role in call.roles:
        by_value = role.what == "value" and not role.pointer and not any(r.selector == role.name for r in call.roles)
        entry = facts.resolve(role.element.ctype) if by_value else None
        if entry and entry["kind"] == "enum":
            name = role.name
            body += ["{", f"  const auto kept = {name};", f"  {name} = static_cast<{role.param.type.spelling}>(CallProbe::kUnknown);",
                     f'  probe.hands_on("{name}", run, &wire::{call.message.name}Request::{name});', f"  {name} = kept;", "}"]
    return body


def _can_be_valid(call):
    """Structs whose handles would have to be real are left to tests written by hand."""
    return not any(r.element and r.element.field.kind == "record" and r.direction in ("in", "inout") for r in call.roles)


def _check(call, facts):
    arguments = "".join(", " + p.name for p in call.function.params)
    run = [f"const auto run = [&] {{ return calls::{call.symbol}(client{arguments}); }};"]
    lines = [line for role in call.roles for line in _declare(call, role)] + run + _refusals(call) + _broken_checks(call)
    if _can_be_valid(call):
        lines += _unknown_enumerators(call, facts)
        lines.append("probe.is_posted(run);" if call.message.no_reply else "probe.passes_on(run);")
    return {"symbol": call.symbol, "opcode": call.message.name, "lines": lines}


def files(model):
    calls = [call for call in model.registry.calls if call.mode == "generated" and not call.same_as]
    return {"tests/client/generated_calls_gen.cc": render("client_call_tests.cc.j2", calls=[_check(c, model.facts) for c in calls],
                                                       families=sorted({c.family for c in calls if c.message}))}
