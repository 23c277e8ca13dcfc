"""What to try where there is no demo."""

_READ_ANSWER = """python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
_ORGANIZATION = '{"name": "Acme", "slug": "acme", "currency": "USD"}'


def first_steps(base: str, email: str, password: str | None) -> str:
    """Commands to copy. Without a password they take it from `XYRA_OPERATOR_PASSWORD`."""
    api = f"{base}/api/v1"
    terminal = "another terminal" if password else "another terminal, with XYRA_OPERATOR_PASSWORD set as here"
    password = password or "$XYRA_OPERATOR_PASSWORD"
    sign_in = f'curl -sS {api}/auth/login -d username={email} --data-urlencode "password={password}"'
    headers = """-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json'"""
    return "\n".join(
        [
            "",
            f"Next, in {terminal}, sign in and create the first organization:",
            f"  TOKEN=$({sign_in} | {_READ_ANSWER})",
            f"  curl {api}/organizations {headers} -d '{_ORGANIZATION}'",
            "docs/quick-start.md has these two among its steps, and leads on to a first invoice.",
            "",
            "Ctrl-C ends it; the data stays.",
        ]
    )
