"""What to try where there is no demo."""

_READ_ANSWER = """python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
_ORGANIZATION = '{"name": "Acme", "slug": "acme", "currency": "USD"}'


def first_steps(base: str, email: str, password: str) -> str:
    """Commands to copy. `password` may be the name of a shell variable."""
    api = f"{base}/api/v1"
    sign_in = f'curl -sS {api}/auth/login -d username={email} --data-urlencode "password={password}"'
    headers = """-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json'"""
    return "\n".join(
        [
            "",
            "Next, in another terminal, sign in and create the first organization:",
            f"  TOKEN=$({sign_in} | {_READ_ANSWER})",
            f"  curl {api}/organizations {headers} -d '{_ORGANIZATION}'",
            "docs/quick-start.md leads on from there to a first invoice.",
            "",
            "Ctrl-C ends it; the data stays.",
        ]
    )
