"""server/device/driver_api_gen.*: a driver's functions, looked up by name at run time."""
from templating import render


def files(model):
    functions = sorted((f for f in model.facts.functions.values() if not f.graphics), key=lambda f: f.symbol)
    return {
        "server/device/driver_api_gen.h": render("driver_api.h.j2", functions=functions),
        "server/device/driver_api_gen.cc": render("driver_api.cc.j2", functions=functions),
    }
