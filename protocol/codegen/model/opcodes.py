"""opcodes.lock: the numbers of messages. Lines are appended, never changed, removed or reordered.

Every line carries a check over itself and the line before, so that an edit in the middle is noticed.
"""
import hashlib

from model.errors import RegistryError

HEADER = ("# Numbers of messages on the wire. Append-only: written by `generate.py --append-opcodes`, never by hand.\n"
          "# A message that is gone keeps its line, with the word `retired` at the end.\n")


def _check(previous, number, name):
    return hashlib.sha256(f"{previous} {number} {name}".encode()).hexdigest()[:8]


def parse(text):
    """[(number, name, retired)] in order; refuses a lock that was edited."""
    entries, previous = [], ""
    for count, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        where = f"opcodes.lock:{count}"
        if len(words) not in (3, 4) or (len(words) == 4 and words[3] != "retired"):
            raise RegistryError(where, f"'{line}' is not 'number name check [retired]'.")
        number, name, check = int(words[0]), words[1], words[2]
        if number != len(entries) + 1 or check != _check(previous, number, name):
            raise RegistryError(where, f"the opcode {name} = {number} was changed, removed or reordered; opcodes are"
                                " append-only. Restore the file, and append with generate.py --append-opcodes.")
        entries.append((number, name, len(words) == 4))
        previous = check
    return entries


def append(text, names):
    """The lock with the names that it lacks at its end."""
    entries = parse(text)
    known = {name for _, name, _ in entries}
    lines = [text.rstrip("\n")] if text.strip() else [HEADER.rstrip("\n")]
    previous = next((line.split()[2] for line in reversed(text.splitlines()) if line and not line.startswith("#")), "")
    number = len(entries)
    for name in names:
        if name in known:
            continue
        number += 1
        previous = _check(previous, number, name)
        lines.append(f"{number} {name} {previous}")
    return "\n".join(lines) + "\n"


def assign(messages, entries):
    """Gives every message its number; refuses messages without one and numbers without a message."""
    numbers = {name: number for number, name, retired in entries if not retired}
    retired = {name for _, name, gone in entries if gone}
    for message in messages:
        if message.name in retired:
            raise RegistryError("opcodes.lock", f"{message.name} is retired; give the new message another name.")
        if message.name not in numbers:
            raise RegistryError("opcodes.lock", f"{message.name} has no opcode yet; run generate.py --append-opcodes.")
        message.opcode = numbers.pop(message.name)
    if numbers:
        raise RegistryError("opcodes.lock", f"the opcodes of {', '.join(sorted(numbers))} have no message any more; opcodes"
                            " are never removed: mark them retired.")
