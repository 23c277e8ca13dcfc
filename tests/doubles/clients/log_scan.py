"""Finds secrets in logs: those that this test process has seen, and whatever looks like one."""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

Json = Any

SECRET_FIELDS = frozenset(
    {"password", "client_secret", "token", "access_token", "refresh_token", "device_token", "api_key", "mfa_token"}
)
"""Names of fields whose values are secret."""
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "set-cookie"})
SHORTEST = 8
"""In characters. A shorter secret may be any word: it is found only beside its name."""

_KEY_IN_CONNECTION_STRING = re.compile(r"(?:SharedAccessKey|AccountKey|SharedAccessSignature)=([^;]+)")
_BODY_OF_PEM = re.compile(r"^[A-Za-z0-9+/=]+$", re.MULTILINE)
_PRIVATE_HALF_OF_JWK = re.compile(r'"d"\s*:\s*"([^"]+)"')
_QUOTE = r"[\\\"']"
_LOOKS_LIKE = {
    "API key": re.compile(r"xyra_[A-Za-z0-9]{20}"),
    "JWT": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8}"),
    "private key": re.compile(rf"PRIVATE KEY-----|{_QUOTE}d{_QUOTE}+\s*:\s*{_QUOTE}+[\w-]{{32}}"),
    "password hash": re.compile(r"\$argon2(?:id|i|d)\$"),
    "password": re.compile(rf"(?i)password(?:{_QUOTE}+\s*:|\s*:\s*{_QUOTE})|(?:[?&]|{_QUOTE})password=[^&\s]"),
    "account key": re.compile(r"(?i)(?:SharedAccessKey|AccountKey)=[^\s;*]"),
    "shared access signature": re.compile(r"(?i)(?:\b|%26)sig(?:=|%3d)[\w%+/=-]{16}"),
    "credential": re.compile(r"(?i)\b(?:Bearer|Basic)(?:\s|\+|%20)+[\w.~+/=-]{8}"),
    "credential's header": re.compile(
        rf"(?i)\b(?:authorization|x-api-key|cookie){_QUOTE}*\s*:\s*{_QUOTE}*(?!REDACTED)[^\s\\\"']{{8}}"
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    path: Path
    line: int
    kind: str
    before: str
    """The text before the secret in its line: enough to find it there."""

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.kind} after {self.before!r}"


class KnownSecrets:
    """Secrets in all forms in which they could be written, to look for in texts."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._kinds: dict[str, dict[str, str]] = defaultdict(dict)
        """Each form by its first characters, with the name of the secret."""

    def add(self, kind: str, value: str) -> None:
        if len(value) < SHORTEST or value in self._known:
            return
        self._known.add(value)
        for name, form in _forms(value):
            self._kinds[form[:SHORTEST]].setdefault(form, f"{kind}{name}")

    def add_key(self, kind: str, text: str) -> None:
        """Add a key: its text, each line of a PEM, and private halves of JSON Web Keys.

        A log may break a PEM into lines.
        """
        self.add(kind, text)
        for part in (*_BODY_OF_PEM.findall(text), *_PRIVATE_HALF_OF_JWK.findall(text)):
            self.add(f"part of the {kind}", part)

    def add_connection_string(self, kind: str, text: str) -> None:
        self.add(kind, text)
        for key in _KEY_IN_CONNECTION_STRING.findall(text):
            self.add(f"key of the {kind}", key)

    def learn(self, value: Json) -> set[str]:
        """Learn what is secret in JSON, by the names of its fields, and return it."""
        found = dict(_secret_fields(value))
        for secret, name in found.items():
            self.add(name, secret)
        return set(found)

    def learn_body(self, body: bytes) -> set[str]:
        """Learn the secrets of a body that was sent as JSON or as a form.

        Other bodies are left alone.
        """
        try:
            return self.learn(json.loads(body))
        except (ValueError, RecursionError):
            return self.learn(dict(parse_qsl(body.decode(errors="replace"))))

    def learn_headers(self, headers: Mapping[str, str]) -> set[str]:
        found = set()
        for name, value in headers.items():
            if name.lower() in SECRET_HEADERS:
                credential = value.partition(" ")[2] or value
                self.add(f"{name} header", credential)
                found.add(credential)
        return found

    def in_text(self, text: str) -> Iterator[tuple[int, str]]:
        """Where secrets begin in the text, and which they are."""
        for start in range(len(text) - SHORTEST + 1):
            forms = self._kinds.get(text[start : start + SHORTEST])
            for form, kind in forms.items() if forms else ():
                if text.startswith(form, start):
                    yield start, kind


KNOWN = KnownSecrets()
"""The secrets of all tests of this process, and so of all hosts that it starts."""


def scan(
    path: Path, known: KnownSecrets = KNOWN, *, since: int = 0, but: re.Pattern[str] | None = None
) -> list[Finding]:
    """What should not be in the file, from this byte on.

    What matches `but` is left out.
    """
    text = path.read_bytes()[since:].decode(errors="replace")
    if but is not None:
        text = but.sub("", text)
    found = [(start, f"{kind} that is known") for start, kind in known.in_text(text)]
    found += [
        (match.start(), f"what looks like a {kind}")
        for kind, pattern in _LOOKS_LIKE.items()
        for match in pattern.finditer(text)
    ]
    return [_finding(path, text, start, kind) for start, kind in sorted(found)]


def _finding(path: Path, text: str, start: int, kind: str) -> Finding:
    line_start = text.rfind("\n", 0, start) + 1
    return Finding(path, text.count("\n", 0, start) + 1, kind, text[max(line_start, start - 160) : start])


def _secret_fields(value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name in SECRET_FIELDS and isinstance(part, str):
                yield part, name
            else:
                yield from _secret_fields(part)
    elif isinstance(value, list):
        for part in value:
            yield from _secret_fields(part)


def _forms(value: str) -> Iterator[tuple[str, str]]:
    yield "", value
    yield " as JSON", json.dumps(value)[1:-1]
    yield " as JSON", json.dumps(value, ensure_ascii=False)[1:-1]
    yield ", percent-encoded", quote(value)
    yield ", percent-encoded", quote(value, safe="")
    yield ", percent-encoded", quote_plus(value)
    yield " as hexadecimal digits", value.encode().hex()
    for before in range(3):
        encoded = _within_base64(value.encode(), before)
        yield " in Base64", encoded
        yield " in Base64", encoded.translate(str.maketrans("+/", "-_"))


def _within_base64(value: bytes, before: int) -> str:
    """The part of its base64 text that does not depend on what stands around it.

    It begins at this place within three bytes.
    """
    whole = base64.b64encode(bytes(before) + value).decode()
    return whole[-(-before * 4 // 3) : (before + len(value)) * 4 // 3]
