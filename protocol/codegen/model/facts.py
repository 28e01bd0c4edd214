"""The snapshot of facts taken from a toolkit's headers, and C types as the generator sees them."""
import json
import re
from dataclasses import dataclass, field

TWIN_SUFFIX = re.compile(r"_(ptds|ptsz)$")


@dataclass(frozen=True)
class CType:
    """`base` without const, how many stars follow, and whether the innermost target is const."""

    spelling: str
    base: str
    stars: int
    const: bool

    @staticmethod
    def parse(spelling):
        plain = spelling.replace("*", " ").split()
        const = "const" in plain
        base = " ".join(word for word in plain if word != "const")
        return CType(spelling, base, spelling.count("*"), const)

    def target(self):
        """What one star points at."""
        text = self.spelling.rstrip()
        assert text.endswith("*"), text
        return CType.parse(text[:-1].rstrip())

    def value_spelling(self):
        """The type of a variable that holds what one star points at."""
        text = self.spelling.rstrip()[:-1].rstrip()
        return text[len("const "):] if text.startswith("const ") and "*" not in text else text


@dataclass
class Parameter:
    name: str
    type: CType


@dataclass
class Function:
    symbol: str
    params: list
    graphics: bool = False     # exported by a real driver only, not by the toolkit's stub

    @property
    def is_twin(self):
        return bool(TWIN_SUFFIX.search(self.symbol))

    @property
    def base_symbol(self):
        return TWIN_SUFFIX.sub("", self.symbol)


@dataclass
class Facts:
    cuda_version: int
    constants: dict
    types: list
    functions: dict
    versions: dict
    by_name: dict = field(default_factory=dict)   # type name -> entry

    def resolve(self, name):
        """Follows typedefs to the entry that defines a type; None for C's own types."""
        entry = self.by_name.get(name)
        while entry and entry["kind"] == "typedef":
            target = self.by_name.get(entry["type"])
            if target is None:
                return None
            entry = target
        return entry

    def underlying(self, name):
        """C's own type behind a typedef chain, or the name of the enum, record or handle."""
        entry = self.by_name.get(name)
        while entry and entry["kind"] == "typedef":
            name = entry["type"]
            entry = self.by_name.get(name)
        return name

    def twin_of(self, symbol):
        return next((symbol + suffix for suffix in ("_ptds", "_ptsz") if symbol + suffix in self.functions), None)


def load(path):
    raw = json.loads(path.read_text())
    graphics = set(raw["graphics_exports"])
    functions = {
        symbol: Function(symbol, [Parameter(n, CType.parse(t)) for n, t in entry["params"]], symbol in graphics)
        for symbol, entry in raw["functions"].items()
    }
    facts = Facts(raw["cuda_version"], raw["constants"], raw["types"], functions, raw["versions"])
    # A typedef and a tag may share a name's beginning but never a name; the later entry would win.
    facts.by_name = {entry["name"]: entry for entry in raw["types"]}
    return facts


def declare(spelling, name):
    """A C declaration of `name` with a type spelled without one."""
    if "(*)" in spelling:
        return spelling.replace("(*)", f"(*{name})", 1)
    if match := re.fullmatch(r"(.*?)((?:\[\d+\])+)", spelling):
        return f"{match.group(1)} {name}{match.group(2)}"
    if match := re.fullmatch(r"(\w+) (\(.*\))", spelling):
        return f"{match.group(1)} {name}{match.group(2)}"
    return f"{spelling}{name}" if spelling.endswith("*") else f"{spelling} {name}"
