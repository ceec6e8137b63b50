"""Verifies proofs without hftok, as docs/audit-format.md says. `verify_proof.py KEY FILE...`: KEY is what audit_public_key() gave, a FILE
what audit_proof() gave. `verify_proof.py KEY FILE --since HEAD`: FILE is what audit_consistency() gave for what is in HEAD."""
import sys
from verify_audit import Key, Unfit, demand, naming, node, sha, unbase64


def hashes(text):  # and the checkpoint after the blank line
    lines, _, note = ("\n" + text).partition("\n\n")
    return [unbase64(line) for line in lines.split("\n") if line], note


def left_of(size):  # the leaves of the left one of a tree's two subtrees: the largest power of two below its size
    return 1 << ((size - 1).bit_length() - 1)


def root_with(index, size, leaf, path):  # by the hashes beside the way up from a leaf
    if size == 1:
        demand(not path, "a hash too many")
        return leaf
    *rest, other = path
    left = left_of(size)
    if index < left: return node(root_with(index, left, leaf, rest), other)
    return node(other, root_with(index - left, size - left, leaf, rest))


def roots_of(old, size, path, known=None):  # of the old log and of the new; `known`: of the old one, should the new begin with it
    if old == size:
        demand(len(path) == (known is None), "a hash too many")
        return (known or path[0],) * 2
    *rest, other = path
    left = left_of(size)
    if old <= left:
        before, now = roots_of(old, left, rest, known)
        return before, node(now, other)
    before, now = roots_of(old - left, size - left, rest)
    return node(other, before), node(other, now)


def event(key, text):
    first, extra, index, rest = text.split("\n", 3)
    demand(first == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index "), "no proof")
    leaf, index = unbase64(extra[6:]), int(index[6:])
    path, note = hashes(rest)
    size, root = key.opened(note)
    demand(index < size and root_with(index, size, sha(b"\0", leaf), path) == root, "not in the log")
    return f"{index + 1} {sha(bytes(1), leaf).hex()}"


def growth(key, text, head):
    first, rest = text.split("\n", 1)
    demand(first.startswith("old "), "no proof")
    path, note = hashes(rest)
    old, (size, root) = key.opened(head), key.opened(note)
    demand(int(first[4:]) == old[0] and roots_of(old[0], size, path, old[1]) == (old[1], root), "another log")
    return f"{old[0]} to {size}"


if __name__ == "__main__":
    try:
        key, files = naming("the public key", Key, sys.argv[1]), [open(path).read() for path in sys.argv[2:] if path != "--since"]
        if "--since" in sys.argv: print(naming("the proof", growth, key, *files))
        else: print("\n".join(naming(path, event, key, text) for path, text in zip(sys.argv[2:], files)))
    except Unfit as bad: sys.exit(f"NOT OK: {bad}")
