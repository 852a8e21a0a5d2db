"""Proofs of transparency logs, read and verified from the specifications of C2SP: signed-note, tlog-checkpoint,
tlog-cosignature, tlog-policy, tlog-proof, tlog-tiles. Shares no line with our own verifier.
"""

import base64
import hashlib
import re
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
except ImportError:
    MLDSA44PublicKey = None

LOG, COSIGNATURE, MLDSA = 1, 4, 6
LENGTHS = {LOG: 32, COSIGNATURE: 32, MLDSA: 1312}


class Refused(Exception):
    """The input is not believed."""


def need(holds, why):
    if not holds:
        raise Refused(why)


def unbase64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("not base64") from None
    need(base64.b64encode(raw).decode() == text, "not canonical base64")
    return raw


def decimal(text):
    need(re.fullmatch(r"0|[1-9][0-9]*", text), f"{text!r} is no decimal")
    return int(text)


class Key:
    """A verifier key (signed-note, "Verifier keys")."""

    def __init__(self, vkey):
        name, ident, material = vkey.split("+", 2)
        raw = unbase64(material)
        need(name and not re.search(r"[\s+]", name), "key name")
        need(re.fullmatch("[0-9a-f]{8}", ident), "key id")
        self.name, self.kind, self.public = name, raw[0], raw[1:]
        need(len(self.public) == LENGTHS.get(self.kind), "kind of key")
        self.id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        need(self.id.hex() == ident, "key id is another one")

    def verify(self, body, blob):
        """The signature line's bytes behind the key id, over a checkpoint's body."""
        origin, size, root = body.split("\n")[:3]
        try:
            if self.kind == LOG:
                Ed25519PublicKey.from_public_bytes(self.public).verify(blob, body.encode())
                return
            need(len(blob) > 8, "too short")
            time, signature = struct.unpack(">Q", blob[:8])[0], blob[8:]
            need(time < 2**63, "timestamp")
            if self.kind == COSIGNATURE:
                message = f"cosignature/v1\ntime {time}\n{body}".encode()
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                need(MLDSA44PublicKey is not None, "this cryptography has no ML-DSA")
                message = b"subtree/v1\n\0"
                message += bytes([len(self.name.encode())]) + self.name.encode() + blob[:8]
                message += bytes([len(origin.encode())]) + origin.encode()
                message += struct.pack(">QQ", 0, int(size)) + base64.b64decode(root)
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise Refused(f"signature of {self.name}") from None


class Checkpoint:
    """A signed note whose text is a checkpoint."""

    def __init__(self, raw):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("not UTF-8") from None
        need(not re.search(r"[\x00-\x09\x0b-\x1f]", text), "control character")
        need("\n\n" in text and text.endswith("\n"), "no note")
        head, tail = text.rsplit("\n\n", 1)
        self.body = head + "\n"
        self.signatures = {}
        for line in tail[:-1].split("\n"):
            match = re.fullmatch("\u2014 ([^\\s+]+) (\\S+)", line)
            need(match, "signature line")
            blob = unbase64(match[2])
            need(len(blob) > 4, "signature line")
            key = (match[1], blob[:4])
            need(key not in self.signatures, "two signatures by one key")
            self.signatures[key] = blob[4:]
        lines = head.split("\n")
        need(len(lines) >= 3 and all(lines), "an empty line, or too few")
        self.origin, self.size, self.root = lines[0], decimal(lines[1]), unbase64(lines[2])
        need(len(self.root) == 32, "root")


class Policy:
    """tlog-policy: logs, witnesses, groups, quorum."""

    def __init__(self, text):
        self.logs, self.nodes, self.quorum = [], {}, None
        grouped, keys = set(), {"log": set(), "witness": set()}
        for line in text.split("\n"):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            kind, *rest = words
            if kind in keys:
                key = Key(rest[0] if kind == "log" else rest[1])
                need(key.public not in keys[kind], "duplicate key")
                keys[kind].add(key.public)
            if kind == "log":
                need(key.kind in (LOG, MLDSA), "kind of log key")
                self.logs.append(key)
            elif kind == "witness":
                need(key.kind in (COSIGNATURE, MLDSA), "kind of witness key")
                self.define(rest[0], key)
            elif kind == "group":
                name, threshold, *members = rest
                count = {"all": len(members), "any": 1}.get(threshold) or decimal(threshold)
                need(1 <= count <= len(members), "threshold")
                for member in members:
                    need(member in self.nodes and member not in grouped, "group member")
                    grouped.add(member)
                self.define(name, (count, members))
            elif kind == "quorum":
                need(self.quorum is None, "two quorums")
                need(rest[0] == "none" or rest[0] in self.nodes, "quorum")
                self.quorum = rest[0]
            else:
                raise Refused(f"{kind} is no line of a policy")
        need(self.quorum, "no quorum")

    def define(self, name, what):
        need(name != "none" and name not in self.nodes, "name is taken")
        self.nodes[name] = what

    def signed(self, checkpoint, key):
        blob = checkpoint.signatures.get((key.name, key.id))
        if blob is None:
            return False
        key.verify(checkpoint.body, blob)
        return True

    def holds(self, checkpoint, name):
        node = self.nodes[name]
        if isinstance(node, Key):
            return self.signed(checkpoint, node)
        count, members = node
        return sum([self.holds(checkpoint, member) for member in members]) >= count

    def verify(self, raw):
        checkpoint = Checkpoint(raw)
        logs = [log for log in self.logs if log.name == checkpoint.origin]
        need([log for log in logs if self.signed(checkpoint, log)], "no log signed")
        need(self.quorum == "none" or self.holds(checkpoint, self.quorum), "quorum is missed")
        return checkpoint


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes):
    """RFC 6962, section 2.1, over hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:split]), root_of(hashes[split:]))


def climb(path, index, size, hash):
    """RFC 6962, section 2.1.1, from the top: the path's last hash is the root's other child."""
    if size == 1:
        need(not path, "path is too long")
        return hash
    need(path, "path is too short")
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        return node(climb(path[:-1], index, split, hash), path[-1])
    return node(path[-1], climb(path[:-1], index - split, size - split, hash))


def verify_proof(raw, entry, policy):
    """tlog-proof, "Verifying a tlog proof"."""
    need(b"\n\n" in raw, "no checkpoint")
    head, checkpoint = raw.split(b"\n\n", 1)
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Refused("not ASCII") from None
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "header")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    need(lines and lines[0].startswith("index "), "index")
    index = decimal(lines.pop(0)[6:])
    path = [unbase64(line) for line in lines]
    need(all(len(hash) == 32 for hash in path), "hash")
    checkpoint = policy.verify(checkpoint)
    need(index < checkpoint.size, "beyond the tree")
    need(climb(path, index, checkpoint.size, leaf(entry)) == checkpoint.root, "inclusion")
    return checkpoint


def tile_path(level, index, width=256):
    """tlog-tiles, "Merkle Tree"."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def tiles(read, level, count):
    """All tiles of a level with `count` hashes; `read` gives a file's bytes."""
    for index in range(-(-count // 256)):
        width = min(256, count - 256 * index)
        yield width, read(tile_path(level, index, width))


def verify_tiles(read, size, root):
    """Every level from the entries up, and the root from the lowest. Gives the entries."""
    entries = []
    for width, bundle in tiles(read, "entries", size):
        at = 0
        for _ in range(width):
            need(at + 2 <= len(bundle), "bundle is cut")
            length = struct.unpack(">H", bundle[at : at + 2])[0]
            entries.append(bundle[at + 2 : at + 2 + length])
            need(len(entries[-1]) == length, "bundle is cut")
            at += 2 + length
        need(at == len(bundle), "bundle has more")
    hashes = [leaf(entry) for entry in entries]
    need(root_of(hashes) == root, "the root of the entries is another one")
    level = 0
    while hashes:
        found = []
        for width, tile in tiles(read, level, len(hashes)):
            need(len(tile) == 32 * width, "length of a tile")
            found += [tile[at : at + 32] for at in range(0, len(tile), 32)]
        need(found == hashes, f"tiles of level {level}")
        full = len(hashes) // 256
        hashes = [root_of(hashes[256 * n : 256 * n + 256]) for n in range(full)]
        level += 1
    return entries
