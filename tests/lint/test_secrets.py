"""Secrets that run into each other are all kept from being quoted."""

import pytest

from workermd.lint.secrets import masked, secrets

TOKEN = "ghp_" + "a1" * 20


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"https://me:p4ss@{TOKEN} end", ["a password in a URL", "a GitHub token"]),
        (f"{TOKEN} {TOKEN}", ["a GitHub token", "a GitHub token"]),
        (f"password={TOKEN}", ["a GitHub token"]),
    ],
    ids=["overlapping", "beside each other", "one inside another"],
)
def test_of_secrets_that_overlap_both_are_masked(text, kinds):
    assert [secret.kind for secret in secrets(text)] == kinds
    said = masked(text)
    assert len(said) == len(text)
    assert "a1" not in said
    assert "p4ss" not in said


CODE = [
    "const login = z.object({ password: z.string().min(8) })",
    "password: z.string().min(8)",
    "secret: sha256hex(key1)",
    "api_key = os.environ['KEY_1']",
    "password: process.env.DB_PASSWORD_1",
    "secret = settings.secret_v2",
    "api_key: keys[index1]",
    "access_token: Optional1[str]",
    "password = ${PASSWORD_1}",
    "auth_token: <your-token-1>",
    "apiKey: `${prefix1}-key`",
]
EXAMPLES = [
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "api_key: your-api-key-123",
    "api_key = xxxxxxxx1",
    "sk-xxxxxxxxxxxxxxxxxxxx1",
    "password: changeme123",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "postgres://user:password@localhost/db",
    "https://me:s3cr3t-0ne@api.example.com/v1",
    "redis://:pass@127.0.0.1",
    "The file begins with `-----BEGIN PRIVATE KEY-----` and a line end.",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
]
VALUES = [
    "password: k33p-it-s4fe",
    "password: 'k33p.it.s4fe!'",
    'API_KEY = "0123456789abcdef"',
    "api_key: sk.4f2a-9",
    "AKIAIOSFODNN7ABCDEFG",
    "https://me:p4ss@files.company.com",
    "https://me:p4ss@example.company.com",
    TOKEN,
]


@pytest.mark.parametrize("text", CODE + EXAMPLES)
def test_code_and_the_examples_of_documentation_hold_no_secret(text):
    assert secrets(text) == ()


@pytest.mark.parametrize("text", VALUES)
def test_a_value_is_still_found(text):
    assert len(secrets(text)) == 1
