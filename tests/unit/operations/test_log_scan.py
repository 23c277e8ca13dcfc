"""The scan of logs finds every kind of secret and nothing else.

It finds them in every form.
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from shared.domain.access.api_keys import KEY_PREFIX, shown_prefix
from tests.doubles.clients.log_scan import KnownSecrets, scan

PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDsUdyzLsXIqXjPE0vCJYcZ2lX9UL5SDQK0dTzNQm0zD
Zm9ydHktdHdvIG1vcmUgYnl0ZXMgb2YgYSBsb25nZXIga2V5IG9mIHRoaXMgdGVz
-----END PRIVATE KEY-----
"""
CONNECTION_STRING = "Endpoint=sb://name.example/;SharedAccessKeyName=root;SharedAccessKey=dGhlIGtleQ/+x=="
JWK = {
    "kty": "OKP",
    "kid": "thumbprint",
    "x": "public-half-0123",
    "d": "cHJpdmF0ZSBoYWxmIG9mIHRoZSBrZXkgb2YgYSB0ZXN0MDE",
}
API_KEY = KEY_PREFIX + "Ab1" * 10 + "Zz"
PASSWORD = 'Ünsere "fünf" + 5/10 & 100%'
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlIG9mIHRoZSB0ZXN0"

FORMS: list[Callable[[str], str]] = [
    str,
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    quote,
    quote_plus,
    lambda value: quote(value, safe=""),
    lambda value: value.encode().hex(),
    lambda value: base64.b64encode(value.encode()).decode(),
    lambda value: base64.b64encode(f"a:{value}:b".encode()).decode(),
    lambda value: base64.urlsafe_b64encode(f":{value}xyz".encode()).decode(),
]


@pytest.fixture
def known() -> KnownSecrets:
    return KnownSecrets()


@pytest.fixture
def found(tmp_path: Path, known: KnownSecrets) -> Callable[[str], list[str]]:
    """What is found in a log of three lines with this text in the second."""

    def find(text: str) -> list[str]:
        log = tmp_path / "log.jsonl"
        log.write_text(f"first\nbefore {text} after\nlast", encoding="utf-8")
        findings = scan(log, known)
        assert {finding.line for finding in findings} <= {2}
        return [finding.kind for finding in findings]

    return find


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [PASSWORD, "8 signs!", "x" * 43, "wörter-für-sich"])
def test_a_known_secret_is_found_in_every_form(known, found, secret, form):
    assert found(form(secret)) == []
    known.add("password", secret)
    assert any(kind.startswith("password") and kind.endswith("that is known") for kind in found(form(secret)))


def test_each_of_many_is_found(known, found):
    tokens = [f"aaaaaaaa{number:04}" for number in range(1000)]
    for token in tokens:
        known.add(token, token)
    assert found(" ".join(reversed(tokens))) == [f"{token} that is known" for token in reversed(tokens)]


@pytest.mark.parametrize("line", PEM.splitlines()[1:-1])
def test_each_line_of_a_key_is_found_by_itself(known, found, line):
    known.add_key("signing key", PEM)
    assert found(line) == ["part of the signing key that is known"]


def test_the_private_half_of_a_json_web_key_is_found_by_itself(known, found):
    known.add_key("signing keys", json.dumps({"active": JWK}))
    assert found(JWK["d"]) == ["part of the signing keys that is known"]
    assert found(f"{JWK['x']} {JWK['kid']}") == []


def test_a_key_that_is_one_word_is_found(known, found):
    known.add_key("idempotency secret", "b25lIHdvcmQ=")
    assert found("b25lIHdvcmQ=") == ["idempotency secret that is known"]


def test_the_key_in_a_connection_string_is_found_by_itself(known, found):
    known.add_connection_string("connection string", CONNECTION_STRING)
    assert found("dGhlIGtleQ/+x==") == ["key of the connection string that is known"]
    assert found("root at sb://name.example/") == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (API_KEY, "API key"),
        (f"Got '{JWT}'", "JWT"),
        (json.dumps(PEM), "private key"),
        (json.dumps(json.dumps(JWK)), "private key"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA", "password hash"),
        ("username=ada&password=b", "password"),
        ("form b'password=b'", "password"),
        ("{'password': 'b'}", "password"),
        (json.dumps(json.dumps({"password": "b"})), "password"),
        (CONNECTION_STRING, "account key"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=k", "account key"),
        ("SharedAccessSignature sr=x&sig=RW4gaGVtbGlnaGV0IQ%3d%3d&se=1", "shared access signature"),
        ("type%3Dmaster%26ver%3D1.0%26sig%3DRW4gaGVtbGlnaGV0IQ==", "shared access signature"),
        ("Bearer 1234567890", "credential"),
        ("bearer%201234567890", "credential"),
        ("Basic YWRhOnBhc3M=", "credential"),
        ("Authorization: 1234567890", "credential's header"),
        ("{'X-API-Key': '1234567890'}", "credential's header"),
        (json.dumps(json.dumps({"cookie": "session=12345"})), "credential's header"),
        ("Set-Cookie: session=12345", "credential's header"),
    ],
)
def test_what_looks_like_a_secret_is_found_unknown(found, text, kind):
    assert f"what looks like a {kind}" in found(text)


@pytest.mark.parametrize(
    "text",
    [
        f"the key {shown_prefix(API_KEY)} was revoked",
        "'Authorization': 'REDACTED'",
        "Send an access token or API key as Authorization: Bearer, or an API key as X-API-Key",
        "XYRA_OPERATOR_PASSWORD must have at least 14 characters",
        "    key = load_pem_private_key(kept.encode(), password=None)",
        "    authorization = _get_authorization_header(",
        "The e-mail address or the password is wrong",
        "eyJxdWFudGl0eSI6NX0=",
        "Endpoint=sb://name.example/;SharedAccessKeyName=root",
    ],
)
def test_what_only_speaks_of_one_is_none(found, text):
    assert found(text) == []


@pytest.mark.parametrize(
    "learn",
    [
        lambda known, secret: known.learn({"user": [{"password": secret}]}),
        lambda known, secret: known.learn_body(json.dumps({"token": secret}).encode()),
        lambda known, secret: known.learn_body(f"username=ada&password={quote_plus(secret)}".encode()),
        lambda known, secret: known.learn_headers({"AUTHORIZATION": f"Bearer {secret}"}),
        lambda known, secret: known.learn_headers({"X-API-Key": secret}),
        lambda known, secret: known.learn_headers({"Cookie": secret}),
    ],
)
def test_what_clients_send_and_get_is_learned(known, found, learn):
    secret = "opaque0123456789"
    assert learn(known, secret) == {secret}
    assert any(kind.endswith("that is known") for kind in found(f"|{secret}|"))


def test_other_fields_headers_and_bodies_are_no_secrets(known, found):
    known.learn({"name": "name of the agent", "key_prefix": "xyra_prefix", "token_type": "bearer-token"})
    known.learn_headers({"X-Correlation-Id": "req_0123456789"})
    known.learn_body(b"\xff\xfe[{")
    known.learn_body(b"")
    assert found("name of the agent xyra_prefix bearer-token req_0123456789") == []


def test_a_short_word_is_no_known_secret(known, found):
    known.add("password", "wrong")
    assert found("The password is wrong") == []


def test_what_was_there_before_and_what_is_shown_on_purpose_is_left_out(tmp_path, known):
    known.add("password", "of the test")
    log = tmp_path / "log"
    log.write_text("of the test\nshown: of the test\nof the test\n", encoding="utf-8")
    assert [finding.line for finding in scan(log, known, since=5, but=re.compile("^shown:.*", re.MULTILINE))] == [3]
