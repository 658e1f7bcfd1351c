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
