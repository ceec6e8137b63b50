"""Verifies an audit without hftok, as docs/audit-format.md says. `verify_audit.py PLACE KEY [HEAD]`: PLACE is a folder with what
audit_tiles() gave, or a file that pg_dump wrote; KEY is what audit_public_key() gave, HEAD a file with what audit_head() gave earlier."""
import base64, functools, hashlib, os, re, sys
from datetime import datetime, timedelta, timezone
KINDS = {"reveal": 1, "change": 2, "refusal": 3, "key": 4, "audit": 5}
SHAPE = "action outcome owner_scope provider level role_name outer_role login_role client_addr application_name".split()
class Unfit(Exception): pass
def demand(holds, what):
    if not holds: raise Unfit(what)
def naming(what, function, *arguments):
    try: return function(*arguments)
    except (ArithmeticError, LookupError, TypeError, ValueError, Unfit) as bad: raise Unfit(f"{what}: {bad}") from bad
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def node(left, right): return sha(b"\1", left, right)
def unbase64(text): return data if base64.b64encode(data := base64.b64decode(text)).decode() == text else demand(False, "no base64")
def number(value, size): return value.to_bytes(size, "big", signed=size == 8)

# Ed25519. A point is (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ZERO = -121665 * pow(121666, -1, P) % P, (0, 1, 1, 0)
def add(p, q):
    a, b, c, d = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0]), 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def times(n, p): return add(times(n >> 1, add(p, p)), p if n & 1 else ZERO) if n else ZERO
def point(data):
    y, sign = int.from_bytes(data, "little") % 2**255, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P: x = x * pow(2, (P - 1) // 4, P) % P
    demand(y < P and (x * x - square) % P == 0, "no point of the curve")
    x = -x % P if x & 1 != sign else x
    return x, y, 1, x * y % P
def has_signed(key, text, signature):
    base, s = point(number(4 * pow(5, -1, P) % P, 32)[::-1]), int.from_bytes(signature[32:], "little")
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    one, other = times(s, base), add(point(signature[:32]), times(hashed, point(key)))
    return len(signature) == 64 and s < L and all((one[i] * other[2] - other[i] * one[2]) % P == 0 for i in (0, 1))

class Key:
    def __init__(self, vkey):
        self.origin, self.hash, key = vkey.strip().split("+", 2)
        kind, self.key = unbase64(key)[:1], unbase64(key)[1:]
        demand(kind == b"\1" and sha(self.origin.encode(), b"\n\1", self.key)[:4].hex() == self.hash, "no public key")
    def opened(self, note):  # size and root of a checkpoint
        text, _, lines = note.strip("\n").rpartition("\n\n")
        origin, size, root = text.split("\n")[:3]
        found = [re.fullmatch("\u2014 (\\S+) (\\S+)", line) for line in lines.split("\n")]
        given = [unbase64(line[2]) for line in found if line[1] == self.origin]
        ours = [signed[4:] for signed in given if signed[:4].hex() == self.hash]
        demand(origin == self.origin and ours and all(has_signed(self.key, (text + "\n").encode(), signed) for signed in ours), "not by this key")
        return int(size), unbase64(root)

class Reader:
    def __init__(self, data): self.data, self.at = data, 0
    def number(self, size): return int.from_bytes(self.take(size), "big")
    def take(self, size):
        self.at += size
        demand(self.at <= len(self.data), "it ends too early")
        return self.data[self.at - size:self.at]
    def varint(self): return byte if (byte := self.number(1)) < 128 else byte - 128 + (self.varint() << 7)
    def text(self): return None if (size := self.number(2)) == 0xffff else self.take(size)
    def field(self):
        tag = self.number(1)
        return self.take(tag - 4 if tag > 3 else self.number(2) if tag == 3 else 16 if tag else 0)
    def own(self):  # with its time and owner_id
        begin, at, has = self.at, int.from_bytes(self.take(8), "big", signed=True), self.number(1)
        has & 1 and self.varint(), has & 2 and self.take(16), has & 4 and self.varint(), has & 8 and self.field()
        owner = self.field()
        [self.field() for bits in (0x30, 0x40, 0x80) if has & bits == bits]
        return self.data[begin:self.at], at, owner
def leaf_data(shape, own): return number(len(shape), 2) + shape + bytes(-(3 + len(shape)) % 64) + own
def told_by_hftok(leaf):  # action, outcome and owner_id of a protected event of kind audit
    record = Reader(leaf)
    shape = Reader(record.take(record.number(2)))
    if shape.take(3) != b"\1\5\1": return None
    record.take((-1 - record.at) % 64)
    return shape.text(), shape.text(), record.own()[2]

# From a row to its leaf.
def varint(value): return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)
def sized(data): return (bytes([4 + len(data)]) if len(data) < 252 else b"\3" + number(len(data), 2)) + data
def field(text):
    if text is None: return b"\0"
    if re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text): return b"\1" + bytes.fromhex(text.replace("-", ""))
    return b"\2" + bytes.fromhex(text) if re.fullmatch("[0-9a-f]{32}", text) else sized(text.encode())
def microseconds(text): return (datetime.fromisoformat(text) - datetime(2000, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
def binary(text): return bytes.fromhex(text[2:])
def row_leaf(row):
    put = lambda name, form: None if row[name] is None else form(row[name])
    shape = bytes([1, KINDS[row["kind"]], row["protected"] == "t"])
    shape += b"".join(b"\xff\xff" if text is None else number(len(text), 2) + text for text in (put(name, str.encode) for name in SHAPE))
    kind = [None, row["owner_id"], put("role_name", "role:".__add__), row["actor_user"]].index(row["actor_user"])
    fields = [put("count", lambda text: None if text == "1" else varint(int(text) % 2**64)), put("object_id", lambda text: field(text)[1:]),
              put("version", lambda text: varint(int(text) % 2**32)), put("digest", lambda text: sized(binary(text))), field(row["owner_id"]),
              field(row["actor_user"]) if kind == 3 else None, put("subject", field), put("request_id", field)]
    has = sum(bit for bit, part in zip((1, 2, 4, 8, 0, 0, 64, 128), fields) if part is not None) | kind << 4
    leaf = leaf_data(shape, number(microseconds(row["at"]), 8) + number(has, 1) + b"".join(part or b"" for part in fields))
    demand(sha(b"\0", leaf) == binary(row["chain_hash"]), "it was changed")
    return leaf
def bundle_leaves(row):
    body = binary(row["body"])
    demand(sha(body) == binary(row["body_hash"]) and body[0] == 1, "its body was changed")
    rest, found, when = Reader(body[1:]), [], []
    shapes = [rest.text() for _ in range(rest.varint())]
    while rest.at < len(rest.data):
        shape, (own, at, _) = shapes[rest.varint()], rest.own()
        found.append(leaf_data(shape, own)), when.append(at)
    demand((len(found), min(when), max(when)) == (int(row["count"]), microseconds(row["first_at"]), microseconds(row["last_at"])), "its row was changed")
    return found
class Dump:
    def __init__(self, place, key):
        tables, rows, escaped = {}, None, dict(zip("bfnrtv", "\b\f\n\r\t\v"))
        cell = lambda text: None if text == "\\N" else re.sub(r"\\(.)", lambda found: escaped.get(found[1], found[1]), text)
        for line in open(place, encoding="utf-8", newline="\n"):
            begins = re.match(r"COPY hftok_private\.(audit\w*) \((.*)\) FROM stdin;", line)
            if begins: names, rows = begins[2].replace('"', "").split(", "), tables.setdefault(begins[1], [])
            elif line == "\\.\n": rows = None
            elif rows is not None: rows.append(dict(zip(names, map(cell, line[:-1].split("\t")))))
        newest = max(tables["audit_checkpoints"], key=lambda row: int(row["size"]))
        self.size, self.root = int(newest["size"]), binary(newest["root"])
        text = f"{key.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"
        demand(has_signed(key.key, text.encode(), binary(newest["signature"])), "not by this key")
        self.nodes = {(int(row["height"]), int(row["number"])): binary(row["hash"]) for row in tables["audit_nodes"]}
        self.found = {int(row["id"]): row for row in tables["audit"]}
        self.found |= {int(row["last_id"]) - int(row["count"]) + 1: row for row in tables["audit_bundles"]}
        demand(max(self.found) <= self.size, f"event {max(self.found)}: it was inserted")
    def hash(self, height, number): return self.nodes.get((height, number))
    def hashes(self, tile): return self.nodes.get((0, tile))
    def leaves(self, tile, first, last):
        if not any(at in self.found for at in range(first, last + 1)): return None
        found = []
        while (at := first + len(found)) <= last:
            row = self.found.pop(at, None)
            demand(row, f"event {at}: it is missing")
            found += naming(f"bundle from event {at} on", bundle_leaves, row) if "body" in row else [naming(f"event {at}", row_leaf, row)]
        beside = [at for at in self.found if at <= last] or [last] * (first + len(found) - 1 > last)
        demand(not beside, f"event {beside and min(beside)}: it is there twice")
        return found
class Tiles:
    def __init__(self, place, key):
        self.place = place
        self.size, self.root = key.opened((self.file("checkpoint") or b"").decode())
    def file(self, path): return open(path, "rb").read() if os.path.exists(path := os.path.join(self.place, path)) else None
    def tile(self, level, tile):
        width = (self.size >> 8 * (0 if level == "entries" else level)) - 256 * tile
        folders = "".join(f"x{tile // 1000**i % 1000:03}/" for i in (3, 2, 1) if tile >= 1000**i)
        return self.file(f"tile/{level}/{folders}{tile % 1000:03}" + (f".p/{width}" if width < 256 else ""))
    def hash(self, height, number): return (self.tile(height // 8, number // 256) or b"")[number % 256 * 32:][:32]
    def hashes(self, tile): return self.tile(0, tile)
    def leaves(self, tile, first, last):
        entries, stored, found = self.tile("entries", tile), self.hashes(tile) or b"", []
        if entries is None: return None
        rest = Reader(entries)
        while rest.at < len(entries):
            found.append(rest.take(rest.number(2)))
            at = 32 * len(found)
            demand(sha(b"\0", found[-1]) == stored[at - 32:at], f"event {first + len(found) - 1}: it, or its hash, was changed")
        demand(32 * len(found) == len(stored) and first + len(found) == last + 1, f"event {first + len(found)}: it is missing")
        return found

def root_of(peaks): return functools.reduce(lambda right, left: node(left, right), [hash for _, hash in peaks[::-1]] or [sha()])
def verify(log, heads):
    peaks, size, begin, purges = [], 0, None, {b"0"}
    def push(hash, height):
        nonlocal size
        size += 1 << height
        while True:
            fits = height == 0 or height % 8 or log.hash(height, (size >> height) - 1) == hash
            demand(fits, f"events {size - (1 << height) + 1} to {size}: one of them, or their hash, was changed")
            if not peaks or peaks[-1][0] != height: break
            hash, height = node(peaks.pop()[1], hash), height + 1
        peaks.append((height, hash))
        demand(size not in heads or heads.pop(size) == root_of(peaks), f"event {size}: the log up to it is not that of the head")
    for tile in range((log.size + 255) // 256):
        first, last = 256 * tile + 1, min(256 * tile + 256, log.size)
        leaves = log.leaves(tile, first, last)
        if leaves is None:
            kept = log.hashes(tile) or log.hash(8, tile)
            demand(begin is None and kept and len(kept) in (32, 8192), f"event {first}: it is missing")
            for at in range(0, len(kept), 32): push(kept[at:at + 32], 8 if len(kept) == 32 else 0)
            continue
        begin = begin or first
        for at, leaf in enumerate(leaves, first):
            action, outcome, owner = naming(f"event {at}", told_by_hftok, leaf) or (None, None, None)
            demand(action != b"audit_checkpoint", f"event {at}: hftok found there that the log had been changed")
            if (action, outcome) == (b"purge_audit", b"committed"): purges.add(owner)
            push(sha(b"\0", leaf), 0)
    demand(root_of(peaks) == log.root, f"events {size // 256 * 256 + 1} to {size}, or a hash of those before: not what was signed")
    demand(not begin or b"%d" % (begin - 1) in purges, f"event {begin and begin - 1}: it is missing, and no purge is told")
    demand(not heads, f"event {size + 1}: it and all up to the head are missing")
    return size - (begin or 1) + 1

if __name__ == "__main__":
    try:
        key = naming("the public key", Key, sys.argv[2])
        heads = dict([naming("the head", key.opened, open(sys.argv[3]).read())] if sys.argv[3:] else [])
        log = naming("the checkpoint", Tiles if os.path.isdir(sys.argv[1]) else Dump, sys.argv[1], key)
        print("OK:", verify(log, heads), "events")
    except Unfit as bad: sys.exit(f"NOT OK: {bad}")
