"""The body of a generated call in the worker: translate, call the driver, name what it made, answer."""
from outputs.client_bodies import size_switch

UNKNOWN = "if (!{}) return failure(CUDA_ERROR_INVALID_HANDLE);"


def lines(call):
    """Statements after the request was decoded; they return a DispatchOutcome."""
    # Arrays last: their room is what other parameters say.
    in_order = sorted(call.roles, key=lambda role: role.what == "array")
    before = [line for role in in_order for line in _before(role, call)]
    inner = [line for role in call.roles for line in _storage(role)]
    arguments = ", ".join(_argument(role, call) for role in call.roles)
    inner += _charge(call)
    inner.append(f"const CUresult driver_result = worker.driver().{call.symbol}({arguments});")
    if call.message.waits:
        return [*before, "DispatchOutcome outcome;",
                "outcome.deferred = [=, &worker]([[maybe_unused]] CommandOutput& out) mutable -> CUresult {",
                *("  " + line for line in inner + _answer(call, deferred=True)), "};", "return outcome;"]
    return before + inner + _answer(call, deferred=False)


def _charge(call):
    """Memory is promised by the session's account before the driver is asked for it."""
    if not call.charges:
        return []
    device = f", {call.charges['device']}" if call.charges.get("device") else ""
    return [f"Charge charge(worker, {call.charges['bytes'] if '(' in call.charges['bytes'] else 'request.' + call.charges['bytes']}"
            f"{device});", "if (!charge.granted()) return failure(CUDA_ERROR_OUT_OF_MEMORY);"]


def _answer(call, deferred):
    body = []
    if call.charges:
        body.append("if (driver_result == CUDA_SUCCESS) charge.commit({AllocationKind::" + call.charges["as"] + ", native_bits("
                    + call.charges["key"] + ")});")
    if call.releases:
        body.append("if (driver_result == CUDA_SUCCESS) worker.session().ledger.release({AllocationKind::"
                    + call.releases["as"] + ", native_bits(" + call.releases["key"] + ")});")
    if call.destroys:
        role = next(r for r in call.roles if r.name == call.destroys)
        condition = "" if call.message.no_reply else "if (driver_result == CUDA_SUCCESS) "
        body.append(f"{condition}worker.forget_object(HandleKind::{role.element.kind}, request.{role.name});")
    for role in call.roles:
        if role.direction == "new":
            body += ["if (driver_result == CUDA_SUCCESS) {",
                     f"  const Status named = worker.name_object(HandleKind::{role.element.kind}, request.{role.name},"
                     f" native_bits({role.name}));", "  if (!named) return violation(named.error().message);", "}"]
    if call.message.reply:
        condition = "" if call.message.reply_on_error else "if (driver_result == CUDA_SUCCESS) "
        store = [f"wire::{call.message.name}Reply reply;", *(line for role in call.roles for line in _store(role, call, deferred)),
                 "reply.encode(out.body);"]
        body += [f"{condition}{{", *("  " + line for line in store), "}"]
    return [*body, "return driver_result;" if deferred else "return done(driver_result);"]


def _failure(deferred):
    return "return CUDA_ERROR_OUT_OF_MEMORY;" if deferred else "return failure(CUDA_ERROR_OUT_OF_MEMORY);"


def _declare(role):
    """The C type of a value that the parameter names or points at."""
    return role.element.ctype


def _before(role, call):
    """Translates what the request holds, on the dispatch thread."""
    if role.what == "array":
        return _array_before(role, call)
    if role.what == "sized":
        return _sized_before(role)
    if role.what in ("null", "ignored", "bytes") or role.direction in ("out", "new") or not role.element:
        return []
    kind, name = role.element.what, role.name
    if kind == "handle":
        optional = ", kOptional" if role.optional else ""
        return [f"{_declare(role)} {name}{{}};",
                UNKNOWN.format(f"resolve(worker, HandleKind::{role.element.kind}, request.{name}, &{name}{optional})")]
    if kind == "struct" and role.element.field.kind == "record":
        return [f"{_declare(role)} {name}{{}};",
                f"if (const CUresult failed = to_native(worker, request.{name}, &{name}); failed != CUDA_SUCCESS)"
                " return failure(failed);"]
    if kind == "struct" and role.pointer:
        return [f"{_declare(role)} {name} = request.{name};"]
    if role.pointer:
        return [f"{_declare(role)} {name} = static_cast<{_declare(role)}>(request.{name});"]
    return []


def _expected_count(role, prefix="request."):
    if role.has_fixed_count:
        return f"size_t{{{role.count}}}"
    text = f"static_cast<size_t>({prefix}{role.count})"
    return f"({text} < {role.count_less} ? 0 : {text} - {role.count_less})" if role.count_less else text


def _array_before(role, call):
    name, element = role.name, role.element
    if role.direction == "out":
        if role.has_fixed_count:
            return []
        if role.counts_back:  # the call fills as much as there is room for, and says how much that was
            return [f"if (request.{role.count} > limits::kArrayElements) {role.count} = limits::kArrayElements;"]
        return [f"if (request.{role.count} > limits::kArrayElements) return failure(CUDA_ERROR_INVALID_VALUE);"]
    allowed = f"!request.{name}.empty() && " if role.optional else ""
    body = [f"if ({allowed}request.{name}.size() != {_expected_count(role)}) {{",
            f'  return violation("The array {name} of a {call.message.name} command has another length than it says.");', "}",
            f"std::vector<{element.ctype}> {name}(request.{name}.size());",
            f"for (size_t i = 0; i < {name}.size(); ++i) {{"]
    item = f"request.{name}[i]"
    if element.what == "handle":
        body.append("  " + UNKNOWN.format(f"resolve(worker, HandleKind::{element.kind}, {item}, &{name}[i])"))
    elif element.what == "struct" and element.field.kind == "record":
        body.append(f"  if (const CUresult failed = to_native(worker, {item}, &{name}[i]); failed != CUDA_SUCCESS)"
                    " return failure(failed);")
    elif element.what == "struct":
        body.append(f"  {name}[i] = {item};")
    else:
        body.append(f"  {name}[i] = static_cast<{element.ctype}>({item});")
    return [*body, "}"]


def _sized_before(role):
    name = role.name
    body = [f"const size_t size_of_{name} = {size_switch(role, f'request.{role.selector}')};",
            f"if (size_of_{name} == 0) return failure(CUDA_ERROR_INVALID_VALUE);", f"SizedValue {name};"]
    if role.direction == "in":
        body += [f"if (request.{name}.size() != size_of_{name}) {{",
                 f'  return violation("The value of an attribute has another size than the attribute.");', "}",
                 f"std::memcpy({name}.bytes, request.{name}.data(), size_of_{name});"]
    return body


def _storage(role):
    """Room for what the driver returns."""
    name = role.name
    if role.what == "array" and role.direction == "out":
        return [f"std::vector<{role.element.ctype}> {name}(request.wants_{name} ? static_cast<size_t>({_room(role)}) : 0);"]
    if role.what == "bytes":
        return [f"std::vector<char> {name}(std::min<size_t>(request.{role.size}, limits::kArrayElements));"]
    if role.what in ("array", "sized", "null", "ignored") or role.direction in ("in", "inout"):
        return []
    return [f"{_declare(role)} {name}{{}};"]


def _room(role):
    return role.count if role.counts_back or role.has_fixed_count else f"request.{role.count}"


def _argument(role, call):
    name = role.name
    if role.what in ("null", "ignored"):
        return "nullptr" if role.pointer or role.param.type.stars else "{}"
    if role.what == "string":
        return f"std::string(request.{name}).c_str()"
    if role.what == "array":
        if role.direction == "out":
            return f"request.wants_{name} ? {name}.data() : nullptr"
        return f"{name}.empty() ? nullptr : {name}.data()"
    if role.what == "bytes":
        return f"{name}.data()"
    if role.what == "sized":
        return f"{name}.bytes"
    sizes = next((r for r in call.roles if r.what == "bytes" and r.size == name), None)
    if sizes:
        return f"{sizes.name}.size()"
    if role.pointer:
        optional = role.optional and role.direction in ("in", "inout")
        return f"request.has_{name} ? &{name} : nullptr" if optional else f"&{name}"
    kind = role.element.what
    if kind == "handle" or (kind == "struct" and role.element.field.kind == "record"):
        return name
    if kind == "struct":
        return f"request.{name}"
    if role.element.ctype.endswith("*"):
        return f"reinterpret_cast<{role.element.ctype}>(static_cast<uintptr_t>(request.{name}))"
    return f"static_cast<{role.element.ctype}>(request.{name})"


def _store(role, call, deferred):
    """Puts what the driver returned into the reply."""
    if role.direction not in ("out", "inout"):
        return []
    name = role.name
    if role.what == "sized":
        return [f"reply.{name}.assign({name}.bytes, {name}.bytes + size_of_{name});"]
    if role.what == "bytes":
        return [f"reply.{name}.assign(reinterpret_cast<const std::byte*>({name}.data()),"
                f" reinterpret_cast<const std::byte*>({name}.data() + {name}.size()));"]
    if role.what == "array":
        trim = [f"if ({name}.size() > {role.count}) {name}.resize({role.count});"] if role.counts_back else []
        return [*trim, f"reply.{name}.resize({name}.size());", f"for (size_t i = 0; i < {name}.size(); ++i) {{",
                *("  " + line for line in _element(role.element, f"{name}[i]", f"reply.{name}[i]", deferred)), "}"]
    return _element(role.element, name, f"reply.{name}", deferred, _owners(call))


def _owners(call):
    """What an object that the driver made known goes with."""
    whole = next((r for r in call.roles if r.name == call.part_of), None)
    return f", {{worker.owning_context(), HandleKind::{whole.element.kind}, request.{whole.name}}}" if whole else ""


def _element(element, source, target, deferred, owners=""):
    if element.what == "handle":
        return [f"if (!adopt(worker, HandleKind::{element.kind}, {source}, &{target}{owners})) {_failure(deferred)}"]
    if element.what == "struct":
        if element.field.kind == "pod":
            return [f"{target} = {source};"]
        return [f"if (from_native(worker, {source}, &{target}) != CUDA_SUCCESS) {_failure(deferred)}"]
    return [f"{target} = static_cast<{element.field.cpp(True)}>({source});"]
