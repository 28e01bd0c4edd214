"""server/softgpu/driver/weak_exports_<family>_gen.cc: what the software device answers for functions it does not have."""
from templating import parameter_list, render

STREAM = "CUstream"


def _twin(call):
    parts = [f"per_thread({p.name})" if p.type.spelling == STREAM else p.name for p in call.function.params]
    return {"symbol": call.twin, "parameters": parameter_list(call.function.params), "base": call.symbol,
            "arguments": ", ".join(parts)}


def files(model):
    out = {}
    for family in model.registry.families:
        calls = model.registry.calls_of(family)
        plain = [{"symbol": c.symbol, "parameters": parameter_list(c.function.params)} for c in calls]
        out[f"server/softgpu/driver/weak_exports_{family}_gen.cc"] = render(
            "softgpu_exports.cc.j2", plain=plain, twins=[_twin(c) for c in calls if c.twin])
    return out
