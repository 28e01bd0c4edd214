"""Which C types name driver objects, and which name devices."""
from model.errors import RegistryError


class Handles:
    def __init__(self, facts, spec):
        self._facts = facts
        self._kinds = spec["kinds"]
        self._devices = set(spec["devices"])
        self._values = set(spec["values"])
        for name in [*self._kinds, *self._devices, *self._values]:
            if name not in facts.by_name:
                raise RegistryError("handles.yaml", f"{name} is not a type of this API; remove it.")

    def _chain(self, name):
        """A type and what its typedefs lead to."""
        while name:
            yield name
            entry = self._facts.by_name.get(name)
            name = entry["type"] if entry and entry["kind"] == "typedef" else None

    def kind_of(self, name, where):
        """The HandleKind enumerator, or None for types that are no handles. Refuses opaque types nobody classified."""
        for link in self._chain(name):
            if link in self._kinds:
                return self._kinds[link]
            if link in self._values:
                return None
            entry = self._facts.by_name.get(link)
            if entry and entry["kind"] == "opaque":
                raise RegistryError(where, f"{name} is an unknown handle kind; add it to handles.yaml and to"
                                    " protocol/wire/handle.h.")
        return None

    def is_device(self, name):
        return any(link in self._devices for link in self._chain(name))
