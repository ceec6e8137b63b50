"""Opens a sealed value without hftok, as docs/sealed-format.md says: proof that the format is what is written there.

Reads JSON: the text of the keyring, and the rows of data_keys, database_identity and secrets (or secret_versions) as
row_to_json gives them.
"""
import hashlib, json, sys
from datetime import datetime, timedelta, timezone
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

def number(value, size=4):
    return value.to_bytes(size, "big", signed=size == 8)

def field(value):
    return number(len(value.encode())) + value.encode()

def open_envelope(envelope, key, associated):
    assert envelope[0] == 1
    nonce, sealed = envelope[5:29], envelope[29:]
    aes = lambda block: Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)
    l = int.from_bytes(aes(bytes(16)), "big")
    k1 = (l << 1) % 2**128 ^ (0x87 if l >> 127 else 0)
    block = lambda n: aes((int.from_bytes(bytes([0, n, 0x58, 0]) + nonce[:12], "big") ^ k1).to_bytes(16, "big"))
    return AESGCM(block(1) + block(2)).decrypt(nonce[12:], sealed, associated)

given = json.load(sys.stdin)
lines = [line.split("#")[0].strip() for line in given["keyring"].splitlines()]
roots = {int(line.split(":")[0]): bytes.fromhex(line.split(":")[1]) for line in lines if line[:1].isdigit()}
identity = bytes(32)
for row in given["generations"]:
    identity = hashlib.sha256(field("hftok:database") + identity + field(row["installation"]) + number(row["database_oid"])
        + bytes.fromhex(row["id"].replace("-", "")) + field(row["database_name"]) + number(row["continues"], 8)
        + bytes.fromhex(row["root"][2:])).digest()
key, row = given["data_key"], given["row"]
wrapped, sealed = bytes.fromhex(key["wrapped"][2:]), bytes.fromhex(row["sealed"][2:])
ids = b"\x01" + wrapped[1:5] + number(key["id"])
owned = field(key["purpose"]) + field(key["org_id"]) + identity
data_key = open_envelope(wrapped, roots[key["root_key_id"]], field("hftok:data-key") + ids + owned)
if key["by_org"]:  # what is left is for a key that the organisation holds: here as "own", its digits
    ids = b"\x01" + data_key[1:5] + number(key["id"]) + field(key["purpose"]) + field(key["org_id"])
    data_key = open_envelope(data_key, bytes.fromhex(given["own"]), field("hftok:data-key-of-organisation") + ids)
secret_id = bytes.fromhex((row.get("id") or row["secret_id"]).replace("-", ""))
bound = b"".join(field(row[name]) for name in ("scope", "scope_id", "provider", "model", "name", "slot", "kind"))
hosts, end = row["allowed_hosts"], row["expires_at"]
bound += b"\xff" * 4 if hosts is None else number(len(hosts)) + b"".join(map(field, hosts))
since = end and datetime.fromisoformat(end) - datetime(2000, 1, 1, tzinfo=timezone.utc)
bound += b"\x01" + number(since // timedelta(microseconds=1), 8) if end else b"\x00"
head = field("hftok:value") + b"\x01" + sealed[1:5] + secret_id + number(row["version"])
sys.stdout.buffer.write(open_envelope(sealed, data_key, head + bound))
