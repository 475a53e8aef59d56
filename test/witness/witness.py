"""A small witness (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature), written apart from the gateway: tests hold its formats against it.

usage: witness.py NAME LOG_VKEY_FILE [SEEN_SIZE]   (prints its port and its vkey; SEEN_SIZE pretends to have seen so many)
"""
import base64
import hashlib
import http.server
import json
import struct
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

name, log_file = sys.argv[1], sys.argv[2]
seen_size = int(sys.argv[3]) if len(sys.argv) > 3 else 0
seen_root = None
private = Ed25519PrivateKey.generate()
public = private.public_key().public_bytes_raw()
key_id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
vkey = f"{name}+{key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}"


def log_key():
    log, ident, encoded = open(log_file).read().strip().split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[0] == 1 and len(raw) == 33
    return log, bytes.fromhex(ident), Ed25519PublicKey.from_public_bytes(raw[1:])


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(m, n, old, new, proof):
    """RFC 6962 section 2.1.2, from the definition: PROOF(m, D[n]) read from its end."""
    proof = list(proof)

    def subproof(m, n, whole):
        # The roots of the old and of the new tree over this part.
        if m == n:
            if whole:
                return old, old
            root = proof.pop(0)
            return root, root
        k = 1
        while k * 2 < n:
            k *= 2
        if m <= k:
            before, after = subproof(m, k, whole)
            return before, node(after, proof.pop(0))
        before, after = subproof(m - k, n - k, False)
        left = proof.pop(0)
        return node(left, before), node(left, after)

    try:
        before, after = subproof(m, n, True)
    except IndexError:
        return False
    return not proof and before == old and after == new


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, text, kind="text/plain"):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        global seen_size, seen_root
        if self.path != "/prefix/add-checkpoint":
            return self.answer(404, "no such path")
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        head, _, note = body.partition("\n\n")
        first, *hashes = head.split("\n")
        if not first.startswith("old "):
            return self.answer(400, "no old size")
        old = int(first[4:])
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root, validate=True)
        log, ident, key = log_key()
        if origin != log:
            return self.answer(404, "unknown log")
        for line in signatures.split("\n"):
            parts = line.split(" ")
            if len(parts) != 3 or parts[0] != "\u2014" or parts[1] != log:
                continue
            raw = base64.b64decode(parts[2], validate=True)
            if raw[:4] != ident:
                continue
            try:
                key.verify(raw[4:], text.encode())
                break
            except InvalidSignature:
                return self.answer(403, "bad signature")
        else:
            return self.answer(403, "no signature")
        if old > size:
            return self.answer(400, "old is larger")
        if old != seen_size:
            return self.answer(409, f"{seen_size}\n", "text/x.tlog.size")
        if old == size and seen_root is not None and seen_root != root:
            return self.answer(409, f"{seen_size}\n", "text/x.tlog.size")
        if old > 0 and old < size and not consistent(old, size, seen_root, root, [base64.b64decode(h) for h in hashes]):
            return self.answer(422, "the proof does not hold")
        if (old == 0 or old == size) and hashes:
            return self.answer(422, "a proof where none is needed")
        seen_size, seen_root = size, root
        now = int(time.time())
        signature = private.sign(f"cosignature/v1\ntime {now}\n".encode() + text.encode())
        line = base64.b64encode(key_id + struct.pack(">Q", now) + signature).decode()
        self.answer(200, f"\u2014 {name} {line}\n")


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_address[1], "vkey": vkey}), flush=True)
server.serve_forever()
