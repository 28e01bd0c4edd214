"""The families: one entry per exported function, checked for completeness."""
import re
from dataclasses import dataclass, field

import yaml

from model.errors import RegistryError
from model.roles import Inference, reply_fields, request_fields
from model.wire_types import EFFECTS, Field, Message, Record, check_fields, parse_field_type

MODES = ("generated", "custom", "local", "unsupported")
CALL_KEYS = {"mode", "reason", "no_reply", "waits", "server", "same_as", "before_init", "context", "params", "checks",
             "destroys", "part_of", "reply_on_error", "disturbs_captures", "charges", "releases", *EFFECTS}
MESSAGE_KEYS = {"request", "reply", "no_reply", "waits", "bulk", "reply_on_error", *EFFECTS}


# Names of variables in generated bodies; a parameter must not have one of them.
TAKEN_NAMES = {"client", "request", "reply", "outcome", "worker", "out", "body", "bulk", "driver_result"}


@dataclass
class Call:
    function: object
    family: str
    mode: str
    reason: str = ""
    same_as: str = ""            # another symbol of the same signature that answers for this one
    before_init: bool = False
    disturbs_captures: bool = False
    needs_context: bool = True
    twin: str = ""
    default_stream: bool = False
    checks: list = field(default_factory=list)
    destroys: str = ""
    part_of: str = ""            # the handle parameter that what it finds goes with
    charges: dict | None = None  # what the session's account pays: as, bytes, key, device
    releases: dict | None = None  # what it gets back: as, key
    roles: list = field(default_factory=list)
    message: object = None       # of calls whose server side is generated

    @property
    def symbol(self):
        return self.function.symbol

    @property
    def declared(self):
        """Whether there is a calls:: function of this name."""
        return self.mode != "unsupported" and not self.same_as


@dataclass
class Registry:
    families: list               # names, sorted
    calls: list                  # by family, then as written
    messages: list
    records: dict                # of messages/*.yaml and of structs.yaml

    def calls_of(self, family):
        return [call for call in self.calls if call.family == family]

    def messages_of(self, family):
        return [message for message in self.messages if message.family == family]


class Loader:
    def __init__(self, facts, handles, structs, symbol_prefix):
        self._facts, self._structs, self._prefix = facts, structs, symbol_prefix
        self._inference = Inference(facts, handles, structs)
        self._calls, self._messages, self._records = {}, {}, {}

    def load(self, folder):
        families = sorted(path.stem for path in (folder / "families").glob("*.yaml"))
        files = {path: _read(path) for path in sorted((folder / "messages").glob("*.yaml"))}
        for path, content in files.items():
            if path.stem not in families:
                raise RegistryError(f"messages/{path.name}", f"there is no family {path.stem}; messages belong to a family.")
            self._records |= {name: Record(name, []) for name in content.get("records") or {}}
        for path, content in files.items():
            self._load_messages(path, content)
        for family in families:
            self._load_family(folder / "families" / f"{family}.yaml", family)
        self._check_complete()
        records = {record.name: record for _, record, _ in self._structs.used()}
        return Registry(families, list(self._calls.values()), list(self._messages.values()), records | self._records)

    def _load_family(self, path, family):
        content = _read(path)
        if set(content) - {"calls", "defaults"}:
            raise RegistryError(path.name, "a family has the keys `calls` and `defaults`.")
        defaults = content.get("defaults") or {}
        for symbol, entry in (content.get("calls") or {}).items():
            where = f"families/{path.name}: {symbol}"
            if symbol in self._calls:
                raise RegistryError(where, f"is also in family {self._calls[symbol].family}; an entry exists once.")
            self._calls[symbol] = self._call(symbol, defaults | (entry or {}), family, where)

    def _call(self, symbol, entry, family, where):
        function = self._facts.functions.get(symbol)
        if function is None or function.is_twin:
            raise RegistryError(where, "is not an exported function of the snapshot, or is a per-thread twin (the entry of"
                                " the function without suffix covers it).")
        if set(entry) - CALL_KEYS:
            raise RegistryError(where, f"unknown key {', '.join(sorted(set(entry) - CALL_KEYS))}; README.md lists the keys.")
        mode = entry.get("mode")
        if mode not in MODES:
            raise RegistryError(where, f"the mode '{mode}' is none of {', '.join(MODES)}.")
        if (mode == "unsupported") != bool(entry.get("reason")):
            raise RegistryError(where, "an unsupported call needs a reason, and only such a call has one.")
        twin = self._facts.twin_of(symbol) or ""
        has_stream = any(p.type.spelling == "CUstream" for p in function.params)
        call = Call(function, family, mode, entry.get("reason", ""), before_init=bool(entry.get("before_init")),
                    disturbs_captures=bool(entry.get("disturbs_captures")),
                    needs_context=entry.get("context", "current") == "current", twin=twin,
                    default_stream=bool(twin) and not has_stream, checks=entry.get("checks", []),
                    destroys=entry.get("destroys", ""), part_of=entry.get("part_of", ""),
                    same_as=entry.get("same_as", ""))
        if call.same_as:
            self._check_same(call, where)
        elif mode == "generated" or (mode == "custom" and entry.get("server") == "generated"):
            self._complete_generated(call, entry, where)
        return call

    def _check_same(self, call, where):
        other = self._facts.functions.get(call.same_as)
        if other is None or [p.type.spelling for p in other.params] != [p.type.spelling for p in call.function.params]:
            raise RegistryError(where, f"same_as: {call.same_as} is no exported function with the same parameters.")

    def _complete_generated(self, call, entry, where):
        rules = entry.get("params") or {}
        names = [p.name for p in call.function.params]
        if TAKEN_NAMES & set(names):
            raise RegistryError(where, f"the parameter name {', '.join(TAKEN_NAMES & set(names))} is one of the generated"
                                " code's own; rename the variable in outputs/*_bodies.py.")
        for name in rules:
            if name not in names:
                raise RegistryError(where, f"there is no parameter {name}; the snapshot has {', '.join(names)}.")
        call.roles = [self._inference.role(p, _rule(rules.get(p.name, {})), where) for p in call.function.params]
        by_name = {role.name: role for role in call.roles}
        for role in call.roles:
            for other in filter(None, (role.count, role.size, role.selector)):
                if other not in by_name and not (other == role.count and role.has_fixed_count):
                    raise RegistryError(where, f"parameter {role.name} refers to {other}, which is no parameter.")
        for role in call.roles:
            role.counts_back = role.count in by_name and by_name[role.count].direction == "inout"
        for key in ("destroys", "part_of"):
            name = getattr(call, key)
            if name and (name not in by_name or by_name[name].what != "handle"):
                raise RegistryError(where, f"{key}: {name} is no handle parameter.")
        self._check_account(call, entry, by_name, where)
        if call.mode == "generated" and call.default_stream:
            raise RegistryError(where, "has a per-thread twin but no stream parameter; make it custom.")
        request = [f for role in call.roles for f in request_fields(role)]
        reply = [f for role in call.roles for f in reply_fields(role)]
        effects = {e for e in EFFECTS if entry.get(e)}
        effects |= {"creates"} if any(r.direction == "new" for r in call.roles) else set()
        call.message = Message(self._message_name(call.symbol), call.family, request, reply,
                               handwritten=entry.get("server") == "custom", no_reply=bool(entry.get("no_reply")), waits=bool(entry.get("waits")),
                               reply_on_error=bool(entry.get("reply_on_error")), effects=frozenset(effects))
        self._add_message(call.message, where)

    @staticmethod
    def _check_account(call, entry, by_name, where):
        """A call that takes or gives back device memory says what the session's account pays for it."""
        call.charges, call.releases = entry.get("charges"), entry.get("releases")
        for effect, key, needed in (("allocates", "charges", {"as", "bytes", "key"}), ("frees", "releases", {"as", "key"})):
            account = entry.get(key)
            if bool(entry.get(effect)) != bool(account):
                raise RegistryError(where, f"`{effect}` and `{key}` belong together: {key} says what the session's memory"
                                    " account is told, see README.md.")
            if account and (not needed <= set(account) <= needed | {"device"} or account["key"] not in by_name):
                raise RegistryError(where, f"{key} has the keys {', '.join(sorted(needed))}, and its key is a parameter.")
        if call.charges and entry.get("waits"):
            raise RegistryError(where, "a call that waits cannot have `charges`; make it custom.")

    def _load_messages(self, path, content):
        for name, fields in (content.get("records") or {}).items():
            self._records[name].fields = self._fields(fields, f"messages/{path.name}: {name}")
        for name, entry in (content.get("messages") or {}).items():
            where, entry = f"messages/{path.name}: {name}", entry or {}
            if set(entry) - MESSAGE_KEYS:
                raise RegistryError(where, f"unknown key {', '.join(sorted(set(entry) - MESSAGE_KEYS))}.")
            message = Message(name, path.stem, self._fields(entry.get("request"), where),
                              self._fields(entry.get("reply"), where), handwritten=True,
                              no_reply=bool(entry.get("no_reply")), waits=bool(entry.get("waits")),
                              bulk=entry.get("bulk", ""), reply_on_error=bool(entry.get("reply_on_error")),
                              effects=frozenset(e for e in EFFECTS if entry.get(e)))
            if message.bulk not in ("", "request", "reply"):
                raise RegistryError(where, "bulk is request or reply.")
            self._add_message(message, where)

    def _fields(self, fields, where):
        return [Field(name, parse_field_type(text, f"{where}, field {name}", self._records, self._structs, self._facts))
                for name, text in (fields or {}).items()]

    def _add_message(self, message, where):
        if message.name in self._messages:
            raise RegistryError(where, f"the message {message.name} exists already.")
        check_fields(message.request, where)
        check_fields(message.reply, where)
        if message.no_reply and (message.reply or message.bulk == "reply"):
            raise RegistryError(where, "a call that returns something cannot be no_reply.")
        if message.waits and any(f.type.has_views for f in message.request):
            raise RegistryError(where, "strings and bytes of a request live as long as its frame; a call that waits cannot"
                                " have them.")
        if message.waits and message.no_reply:
            raise RegistryError(where, "a call that waits needs its reply.")
        if message.waits and message.bulk == "request":
            raise RegistryError(where, "bulk of a request lives as long as its frame; a call that waits cannot have it.")
        self._messages[message.name] = message

    def _message_name(self, symbol):
        return re.sub(r"_v(\d+)$", r"V\1", symbol.removeprefix(self._prefix))

    def _check_complete(self):
        missing = [s for s, f in self._facts.functions.items() if not f.is_twin and s not in self._calls]
        if missing:
            raise RegistryError("families", f"{len(missing)} exported functions have no entry: {', '.join(missing[:20])}.")
        for call in self._calls.values():
            if call.same_as and not self._calls[call.same_as].declared:
                raise RegistryError(f"families/{call.family}.yaml: {call.symbol}", f"same_as: {call.same_as} has no function.")


def _rule(rule):
    """`name: new` is short for `name: {new: true}`; several words may be joined with +."""
    if isinstance(rule, str):
        return {word: True for word in rule.split("+")}
    return rule


def _read(path):
    try:
        content = yaml.load(path.read_text(), yaml.CSafeLoader) or {}
    except yaml.YAMLError as error:
        raise RegistryError(path.name, f"is not YAML: {error}.") from error
    if not isinstance(content, dict):
        raise RegistryError(path.name, "should be a mapping.")
    return content
