"""A device with passkeys, as browsers talk to one: it makes key pairs and signs challenges (WebAuthn)."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

Json = dict[str, Any]

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Held:
    """A passkey in the device."""

    id: bytes
    key: EllipticCurvePrivateKey
    user: bytes
    count: int = 0


class Authenticator:
    """`verifies` is whether it checks its user, by PIN or fingerprint."""

    def __init__(self, origin: str, *, verifies: bool = True) -> None:
        self.origin = origin
        self.verifies = verifies
        self.held: list[Held] = []

    def register(self, options: Json) -> Json:
        """The answer to `navigator.credentials.create`."""
        held = Held(secrets.token_bytes(16), generate_private_key(SECP256R1()), _bytes(options["user"]["id"]))
        self.held.append(held)
        numbers = held.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(held.id).to_bytes(2, "big") + held.id + cbor2.dumps(cose)
        data = self._data(options["rp"]["id"], held, _ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return _credential(held, {"clientDataJSON": _text(client), "attestationObject": _text(attestation)})

    def sign(self, options: Json) -> Json:
        """The answer to `navigator.credentials.get`, by the first passkey that is allowed."""
        allowed = {_bytes(each["id"]) for each in options.get("allowCredentials", [])}
        held = next(each for each in self.held if not allowed or each.id in allowed)
        held.count += 1
        data = self._data(options["rpId"], held, 0)
        client = self._client("webauthn.get", options["challenge"])
        signature = held.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        response = {
            "clientDataJSON": _text(client),
            "authenticatorData": _text(data),
            "signature": _text(signature),
            "userHandle": _text(held.user),
        }
        return _credential(held, response)

    def _data(self, rp_id: str, held: Held, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + held.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()


def _credential(held: Held, response: Json) -> Json:
    id_ = _text(held.id)
    return {"id": id_, "rawId": id_, "type": "public-key", "response": response, "clientExtensionResults": {}}


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
