#!/usr/bin/python3
"""Writes a small language model with random weights as a GGUF file (version 3): the llama
architecture with two layers and a tokenizer of bytes and a few pieces. It says nothing sensible, but a
program must compute the same nonsense wherever it runs it.

    random_model.py TYPE FILE      TYPE: q4_0, q8_0 or q4_k
"""
import random
import struct
import sys

EMBEDDING, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, CONTEXT = 256, 512, 2, 4, 2, 2048
PIECES = [" the", " of", " and", "ing", "tion", " in", "er", "es", " a", "on", " to", "re", "an", "or", "en", " is",
          "\u2581", "\u2581w", "\u2581b", "\u2581th", "ou", "ar", "al", "it", "st", "nd", "ed", "le"]

U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
ALIGNMENT = 32


def half(value):
    return struct.pack("<e", value)


def block_q8_0(rng, scale):
    # Uniform in -127..127: a standard deviation of 73.
    return half(scale / 73) + bytes(rng.randrange(-127, 128) & 0xff for _ in range(32))


def block_q4_0(rng, scale):
    # A value is d * (q - 8); without 0 their mean is 0.
    return half(scale / 4.3) + bytes(rng.randrange(1, 16) | rng.randrange(1, 16) << 4 for _ in range(16))


def block_q4_k(rng, scale):
    # A value is d * scale * q - dmin * min; with equal scales and mins and dmin = 7.5 d its mean is 0.
    scales = [rng.randrange(24, 64) for _ in range(8)]
    d = scale / (4.6 * 43)
    packed = bytearray(12)
    for j in range(4):
        packed[j] = packed[j + 4] = scales[j] & 63 | scales[j + 4] >> 4 << 6
        packed[j + 8] = scales[j + 4] & 15 | (scales[j + 4] & 15) << 4
    return half(d) + half(7.5 * d) + bytes(packed) + rng.randbytes(128)


# name: (number in GGUF, values in a block, bytes of a block, writer)
TYPES = {
    "q4_0": (2, 32, 18, block_q4_0),
    "q8_0": (8, 32, 34, block_q8_0),
    "q4_k": (12, 256, 144, block_q4_k),
}
FILE_TYPES = {"q4_0": 2, "q8_0": 7, "q4_k": 14}

# Of a hundred models of each type, those whose best token leads the second best by a factor of 1.35 or
# more in each of 72 steps, and which go on longest before they repeat themselves: backends round
# differently (llama.cpp's CPU backend does from one attention to another, by a factor of 1.2 here).
SEEDS = {"q4_0": 4, "q8_0": 2, "q4_k": 49}


def vocabulary():
    """(piece, kind): 2 unknown, 3 control, 6 byte, 1 ordinary."""
    words = [("<unk>", 2), ("<s>", 3), ("</s>", 3)]
    words += [(f"<0x{byte:02X}>", 6) for byte in range(256)]
    words += [(piece, 1) for piece in PIECES]
    words += [(chr(letter), 1) for letter in range(ord("a"), ord("z") + 1)]
    return words


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, value):
    packed = {U32: lambda: struct.pack("<I", value), F32: lambda: struct.pack("<f", value), STRING: lambda: string(value)}
    return string(key) + struct.pack("<I", kind) + packed[kind]()


def list_entry(key, kind, values):
    pack = {F32: lambda v: struct.pack("<f", v), I32: lambda v: struct.pack("<i", v), STRING: string}[kind]
    return string(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(pack(v) for v in values)


def metadata(kind, words):
    head = EMBEDDING // HEADS
    return [
        entry("general.architecture", STRING, "llama"),
        entry("general.name", STRING, "random"),
        entry("general.file_type", U32, FILE_TYPES[kind]),
        entry("llama.context_length", U32, CONTEXT),
        entry("llama.embedding_length", U32, EMBEDDING),
        entry("llama.block_count", U32, LAYERS),
        entry("llama.feed_forward_length", U32, FEED_FORWARD),
        entry("llama.attention.head_count", U32, HEADS),
        entry("llama.attention.head_count_kv", U32, KV_HEADS),
        entry("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        entry("llama.rope.dimension_count", U32, head),
        entry("llama.vocab_size", U32, len(words)),
        entry("tokenizer.ggml.model", STRING, "llama"),
        list_entry("tokenizer.ggml.tokens", STRING, [word for word, _ in words]),
        list_entry("tokenizer.ggml.scores", F32, [-float(i) for i in range(len(words))]),
        list_entry("tokenizer.ggml.token_type", I32, [kind for _, kind in words]),
        entry("tokenizer.ggml.bos_token_id", U32, 1),
        entry("tokenizer.ggml.eos_token_id", U32, 2),
        entry("tokenizer.ggml.unknown_token_id", U32, 0),
    ]


def tensors(words):
    """(name, shape with the fastest dimension first, standard deviation or None for ones)"""
    kv = KV_HEADS * (EMBEDDING // HEADS)
    wide, narrow = EMBEDDING ** -0.5, FEED_FORWARD ** -0.5
    yield "token_embd.weight", (EMBEDDING, len(words)), 1.0
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        yield name + "attn_norm.weight", (EMBEDDING,), None
        yield name + "attn_q.weight", (EMBEDDING, EMBEDDING), wide
        yield name + "attn_k.weight", (EMBEDDING, kv), wide
        yield name + "attn_v.weight", (EMBEDDING, kv), wide
        yield name + "attn_output.weight", (EMBEDDING, EMBEDDING), wide / 2
        yield name + "ffn_norm.weight", (EMBEDDING,), None
        yield name + "ffn_gate.weight", (EMBEDDING, FEED_FORWARD), wide
        yield name + "ffn_up.weight", (EMBEDDING, FEED_FORWARD), wide
        yield name + "ffn_down.weight", (FEED_FORWARD, EMBEDDING), narrow / 2
    yield "output_norm.weight", (EMBEDDING,), None
    yield "output.weight", (EMBEDDING, len(words)), 1.0


def write(kind, path):
    rng = random.Random(SEEDS[kind])
    number, values, block_bytes, block = TYPES[kind]
    words = vocabulary()
    infos, datas, offset = [], [], 0
    for name, shape, scale in tensors(words):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        if scale is None:
            data, used = struct.pack(f"<{count}f", *[1.0] * count), 0
        else:
            data, used = b"".join(block(rng, scale) for _ in range(count // values)), number
            assert len(data) == count // values * block_bytes
        infos.append(string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, used, offset))
        datas.append(data + b"\0" * (-len(data) % ALIGNMENT))
        offset += len(datas[-1])
    pairs = metadata(kind, words)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(infos), len(pairs)) + b"".join(pairs) + b"".join(infos)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % ALIGNMENT))
        for data in datas:
            file.write(data)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in TYPES:
        sys.exit(__doc__)
    write(sys.argv[1], sys.argv[2])
