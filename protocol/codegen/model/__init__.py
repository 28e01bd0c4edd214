"""What the generator knows: the snapshot of facts, the registry's families, messages, opcodes."""
