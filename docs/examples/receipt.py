#!/usr/bin/env python3
"""The roots of a legacy tree by the rule of docs/receipts.md, with nothing of transload's.

    receipt.py TREE [KIND...]   one line a kind and one for all: documents and root
    receipt.py --canonical      reads JSON, writes its canonical text
    receipt.py --blake3         reads bytes, writes their hash

Only Python's own library is used, so BLAKE3 is written out here, and slow. Documents that transload
rejects are in no receipt; this program does not know them and takes every document that is JSON.
"""

import gzip
import json
import os
import re
import struct
import sys
import uuid

# ---------------------------------------------------------------- BLAKE3, as its paper has it

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF


def compress(chain, words, counter, length, flags):
    s = list(chain) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]

    def mix(a, b, c, d, x, y):
        s[a] = (s[a] + s[b] + x) & MASK
        s[d] = ((s[d] ^ s[a]) >> 16 | (s[d] ^ s[a]) << 16) & MASK
        s[c] = (s[c] + s[d]) & MASK
        s[b] = ((s[b] ^ s[c]) >> 12 | (s[b] ^ s[c]) << 20) & MASK
        s[a] = (s[a] + s[b] + y) & MASK
        s[d] = ((s[d] ^ s[a]) >> 8 | (s[d] ^ s[a]) << 24) & MASK
        s[c] = (s[c] + s[d]) & MASK
        s[b] = ((s[b] ^ s[c]) >> 7 | (s[b] ^ s[c]) << 25) & MASK

    m = list(words)
    for _ in range(7):
        mix(0, 4, 8, 12, m[0], m[1])
        mix(1, 5, 9, 13, m[2], m[3])
        mix(2, 6, 10, 14, m[4], m[5])
        mix(3, 7, 11, 15, m[6], m[7])
        mix(0, 5, 10, 15, m[8], m[9])
        mix(1, 6, 11, 12, m[10], m[11])
        mix(2, 7, 8, 13, m[12], m[13])
        mix(3, 4, 9, 14, m[14], m[15])
        m = [m[at] for at in ORDER]
    return [s[at] ^ s[at + 8] for at in range(8)]


def last_block(data, counter):
    """What makes a chunk's chaining value, not yet compressed."""
    chain, flags = IV, CHUNK_START
    while len(data) > 64:
        chain = compress(chain, struct.unpack("<16I", data[:64]), counter, 64, flags)
        data, flags = data[64:], 0
    words = struct.unpack("<16I", data.ljust(64, b"\0"))
    return chain, words, counter, len(data), flags | CHUNK_END


def subtree(data, counter):
    if len(data) <= 1024:
        return last_block(data, counter)
    left = 1024
    while left * 2 < len(data):
        left *= 2
    words = compress(*subtree(data[:left], counter)) + compress(*subtree(data[left:], counter + left // 1024))
    return IV, words, 0, 64, PARENT


def blake3(data):
    chain, words, _, length, flags = subtree(data, 0)
    return struct.pack("<8I", *compress(chain, words, 0, length, flags | ROOT))


# ---------------------------------------------------------------- canonical JSON


class Number(str):
    pass


class Members(list):
    pass


def no_constant(name):
    raise ValueError(name + " is no JSON")


def parse(data):
    text = data.decode("utf-8-sig")
    return json.loads(
        text, parse_int=Number, parse_float=Number, parse_constant=no_constant, object_pairs_hook=Members
    )


def number(spelling):
    sign, whole, fraction, exponent = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", spelling).groups()
    digits = whole + (fraction or "")
    power = int(exponent or 0) - len(fraction or "")
    significant = digits.lstrip("0").rstrip("0")
    if not significant:
        return "0"
    power += len(digits) - len(digits.rstrip("0"))
    return sign + significant + ("e%d" % power if power else "")


def string(text):
    escaped = "".join(
        "\\" + c if c in '"\\' else "\\u%04x" % ord(c) if c < " " else c for c in text
    )
    return '"' + escaped + '"'


def canonical(value):
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, Members):
        members = sorted(value, key=lambda member: member[0].encode())
        return "{" + ",".join(string(name) + ":" + canonical(member) for name, member in members) + "}"
    return "[" + ",".join(canonical(item) for item in value) + "]"


# ---------------------------------------------------------------- documents and their tree

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "transload")


def text(string):
    data = string.encode()
    return struct.pack(">Q", len(data)) + data


def document_hash(kind, key, files):
    """`files`: path, role and canonical text."""
    id = uuid.uuid5(NAMESPACE, "\0".join(("document", kind, key)))
    data = b"transload/1/document\0" + id.bytes + text(kind) + text(key) + struct.pack(">Q", len(files))
    for path, role, content in sorted(files, key=lambda file: file[0].encode()):
        data += text(path) + text(role) + blake3(b"transload/1/content\0" + content.encode())
    return id.bytes, blake3(data)


def root(hashes):
    if not hashes:
        return blake3(b"")
    if len(hashes) == 1:
        return blake3(b"\0" + hashes[0])
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return blake3(b"\1" + root(hashes[:left]) + root(hashes[left:]))


# ---------------------------------------------------------------- donna's files (docs/migrating.md)


def meaning(path, data):
    """Kind, key and role of a file; None if it is not migrated."""
    home, name = os.path.split(path)
    home = re.sub(r"^data(/|$)", "", home)
    if home == "logs" and re.fullmatch(r".+\.log(\.\d+)?(\.gz)?", name):
        return "logs", path, "whole"
    if not name.endswith(".json") or name == ".json":
        return None
    stem = name[:-5]
    if home == "users":
        is_uuid = re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", stem)
        return "users", stem.lower() if is_uuid else stem, "whole"
    if home == "memory":
        return "memory", stem, "whole"
    if home in ("conversations", "mcp/storage/conversations"):
        return "conversations", home + "/" + stem, "whole"
    if home == "chat_sessions":
        if stem.endswith("_session") and stem != "_session" and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            return "chats", stem[: -len("_session")], "session"
        return "chats", stem, "history"
    return None


def content(path, kind, data):
    if kind != "logs":
        return canonical(parse(data))
    lines = (gzip.decompress(data) if path.endswith(".gz") else data).split(b"\n")
    return canonical([parse(line) for line in lines if line.strip(b"\xef\xbb\xbf \t\r\n\f")])


def main(tree, kinds):
    documents = {}
    for directory, _, names in os.walk(tree):
        for name in names:
            full = os.path.join(directory, name)
            path = os.path.relpath(full, tree)
            with open(full, "rb") as file:
                data = file.read()
            found = meaning(path, data)
            if found and (not kinds or found[0] in kinds):
                kind, key, role = found
                documents.setdefault((kind, key), []).append((path, role, content(path, kind, data)))
    leaves = sorted((document_hash(kind, key, files), kind) for (kind, key), files in documents.items())
    for kind in sorted({kind for kind, _ in documents}):
        of_kind = [hash for (_, hash), other in leaves if other == kind]
        print("files", kind, len(of_kind), root(of_kind).hex())
    print("files", "all", len(leaves), root([hash for (_, hash), _ in leaves]).hex())


if __name__ == "__main__":
    if sys.argv[1:] == ["--canonical"]:
        print(canonical(parse(sys.stdin.buffer.read())))
    elif sys.argv[1:] == ["--blake3"]:
        print(blake3(sys.stdin.buffer.read()).hex())
    elif len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        main(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(__doc__)
