"""A workload that proves who it is by signed assertions (RFC 7523)."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

Json = dict[str, Any]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Workload:
    def __init__(self, kid: str = "first") -> None:
        self.key = Ed25519PrivateKey.generate()
        self.kid = kid

    @property
    def jwks(self) -> Json:
        public: Json = json.loads(OKPAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid}]}

    def assertion(self, client_id: str, now: datetime, **claims: Any) -> str:
        """Good for 5 minutes; claims that are None are left out."""
        usual = {
            "iss": client_id,
            "sub": client_id,
            "aud": "http://localhost:0/api/v1/auth/token",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "jti": uuid4().hex,
        }
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, self.key, algorithm="EdDSA", headers={"kid": self.kid})


def form(assertion: str, **fields: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **fields,
    }
