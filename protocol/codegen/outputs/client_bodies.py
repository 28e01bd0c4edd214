"""The body of a generated call in the client: check, translate, send, store what came back."""

FAIL = "if (const CUresult failed = {}; failed != CUDA_SUCCESS) return failed;"


def lines(call):
    body = []
    if call.needs_context:
        body.append("if (!client.has_current_context()) return CUDA_ERROR_INVALID_CONTEXT;")
    for condition, error in call.checks:
        body.append(f"if (!({condition})) return {error};")
    needed = [r.name for r in call.roles if r.pointer and not r.optional and r.what not in ("array",)]
    needed += [r.name for r in call.roles if r.what == "array" and not r.optional and r.direction == "out"]
    needed += [r.name for r in call.roles if r.what == "string" and not r.optional]
    if needed:
        body.append(f"if ({' || '.join(f'{name} == nullptr' for name in needed)}) return CUDA_ERROR_INVALID_VALUE;")
    body.append(f"wire::{call.message.name}Request request;")
    created = [r for r in call.roles if r.direction == "new"]
    for role in call.roles:
        if role.direction != "new":
            body += _before(role)
    for position, role in enumerate(created):
        undo = "".join(f"client.forget_handle(HandleKind::{r.element.kind}, request.{r.name}); " for r in created[:position])
        body.append(FAIL.format(f"client.create_handle(HandleKind::{role.element.kind}, &request.{role.name})")
                    if not undo else
                    f"if (const CUresult failed = client.create_handle(HandleKind::{role.element.kind}, &request.{role.name});"
                    f" failed != CUDA_SUCCESS) {{ {undo}return failed; }}")
    return body + (_post(call, created) if call.message.no_reply else _call(call, created))


def _post(call, created):
    send = ["const CUresult outcome = client.post(request);"]
    return send + _finish(call, created, check="outcome != CUDA_SUCCESS")


def _call(call, created):
    send = [f"wire::{call.message.name}Reply reply;", "const CUresult outcome = client.call(request, reply);"]
    return send + _finish(call, created, check="outcome != CUDA_SUCCESS")


def _finish(call, created, check):
    outputs = [line for role in call.roles for line in _after(role)]
    forget = [f"client.forget_handle(HandleKind::{r.element.kind}, request.{r.name});" for r in created]
    always = call.message.reply_on_error
    body = list(outputs) if always else []
    success = [f"*{r.name} = handle_from_bits<{r.element.ctype}>(client.application_handle(HandleKind::{r.element.kind},"
               f" request.{r.name}));" for r in created]
    if call.destroys:
        role = next(r for r in call.roles if r.name == call.destroys)
        success.append(f"client.forget_handle(HandleKind::{role.element.kind}, request.{role.name});")
    if not always:
        success += outputs
    if not forget and not success:
        return [*body, "return outcome;"]
    if forget:
        body += [f"if ({check}) {{", *("  " + line for line in forget), "  return outcome;", "}"]
    else:
        body.append(f"if ({check}) return outcome;")
    return [*body, *success, "return outcome;"]


def _element_in(element, source, target):
    """Statements that put one element on the wire."""
    if element.what == "device":
        return [FAIL.format(f"client.server_device({source}, &{target})")]
    if element.what == "handle":
        return [FAIL.format(f"client.find_handle(HandleKind::{element.kind}, handle_bits({source}), &{target})")]
    if element.what == "struct":
        if element.field.kind == "pod":
            return [f"{target} = {source};"]
        return [FAIL.format(f"to_wire(client, {source}, &{target})")]
    if element.ctype.endswith("*"):
        return [f"{target} = reinterpret_cast<uintptr_t>({source});"]
    return [f"{target} = static_cast<{element.field.cpp(False)}>({source});"]


def _element_out(element, source, target):
    """Statements that store one element from the wire."""
    if element.what == "device":
        return [FAIL.format(f"client.application_device({source}, &{target})")]
    if element.what == "handle":
        return [f"{target} = handle_from_bits<{element.ctype}>(client.application_handle(HandleKind::{element.kind}, {source}));"]
    if element.what == "struct":
        return [f"{target} = {source};"] if element.field.kind == "pod" else [FAIL.format(f"from_wire(client, {source}, &{target})")]
    return [f"{target} = static_cast<{element.ctype}>({source});"]


def _count(role):
    """How many elements an array has, as the caller says."""
    if role.has_fixed_count:
        return f"size_t{{{role.count}}}"
    text = f"static_cast<size_t>({'*' if role.counts_back else ''}{role.count})"
    return f"({text} < {role.count_less} ? 0 : {text} - {role.count_less})" if role.count_less else text


def _indent(statements):
    return ["  " + line for line in statements]


def _before(role):
    if role.what == "ignored":
        return []
    if role.what == "null":
        return [f"if ({role.name} != nullptr) return CUDA_ERROR_NOT_SUPPORTED;"]
    if role.what == "string":
        return [f"request.{role.name} = {role.name};"]
    if role.what == "array":
        return _array_before(role)
    if role.what == "sized":
        return _sized_before(role)
    if role.what == "bytes" or role.direction == "out":
        return []
    source = f"*{role.name}" if role.pointer else role.name
    if role.element.what == "struct" and role.pointer:
        source = f"*{role.name}"
    statements = _element_in(role.element, source, f"request.{role.name}")
    if role.pointer and role.optional:
        return [f"if ({role.name} != nullptr) {{", f"  request.has_{role.name} = true;", *_indent(statements), "}"]
    if role.optional and role.what == "handle":
        return [f"if (handle_bits({role.name}) != 0) {{", *_indent(statements), "}"]
    return statements


def _array_before(role):
    count = f"count_of_{role.name}"
    body = [f"const size_t {count} = {_count(role)};"]
    if role.direction == "out":
        return [*body, f"request.wants_{role.name} = {role.name} != nullptr;"]
    body.append(f"if ({count} > limits::kArrayElements) return CUDA_ERROR_NOT_SUPPORTED;")
    fill = [f"request.{role.name}.resize({count});", f"for (size_t i = 0; i < {count}; ++i) {{",
            *_indent(_element_in(role.element, f"{role.name}[i]", f"request.{role.name}[i]")), "}"]
    if role.optional:
        return [*body, f"if ({role.name} != nullptr) {{", *_indent(fill), "}"]
    return [*body, f"if ({role.name} == nullptr && {count} != 0) return CUDA_ERROR_INVALID_VALUE;", *fill]


def size_switch(role, selector):
    """An expression: the size of what a selector value names, 0 if it names nothing."""
    cases = " ".join(f"case {name}: return size_t{{{size}}};" for name, size in role.sizes.items())
    return f"[](auto selector) {{ switch (selector) {{ {cases} default: return size_t{{0}}; }} }}({selector})"


def _sized_before(role):
    size = f"size_of_{role.name}"
    body = [f"const size_t {size} = {size_switch(role, role.selector)};",
            f"if ({size} == 0) return CUDA_ERROR_INVALID_VALUE;"]
    if role.direction == "in":
        body.append(f"request.{role.name} = {{static_cast<const std::byte*>({role.name}), {size}}};")
    return body


def _after(role):
    if role.direction not in ("out", "inout"):
        return []
    if role.what == "array":
        store = [f"for (size_t i = 0; i < count_of_{role.name}; ++i) {{",
                 f"  if (i >= reply.{role.name}.size()) {{ {role.name}[i] = {{}}; continue; }}",
                 *_indent(_element_out(role.element, f"reply.{role.name}[i]", f"{role.name}[i]")), "}"]
    elif role.what == "bytes":
        store = [f"std::copy_n(reply.{role.name}.data(), std::min<size_t>(reply.{role.name}.size(), {role.size}),"
                 f" reinterpret_cast<std::byte*>({role.name}));"]
    elif role.what == "sized":
        store = [f"if (reply.{role.name}.size() != size_of_{role.name}) return CUDA_ERROR_UNKNOWN;",
                 f"std::memcpy({role.name}, reply.{role.name}.data(), size_of_{role.name});"]
    else:
        store = _element_out(role.element, f"reply.{role.name}", f"*{role.name}")
    if role.optional:
        return [f"if ({role.name} != nullptr) {{", *_indent(store), "}"]
    return store
