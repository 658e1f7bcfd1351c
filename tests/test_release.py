"""What a tag has to fit before it becomes a release. The building itself is `make release`, which needs an index."""

import pytest
import yaml

from tests.conftest import ROOT
from tests.release import refusal

CHANGELOG = "# Changelog\n\n## 1.2.3 (2026-01-31)\n\n## 1.2.2\n"


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v1.2.3", "1.2.3", ""),
        ("1.2.3", "1.2.3", "it has to be v1.2.3"),
        ("v1.2.4", "1.2.3", "the tag is v1.2.4, and the version is 1.2.3"),
        ("v1.2.2", "1.2.2", "CHANGELOG.md has no heading '## 1.2.2 (YEAR-MONTH-DAY)'"),
        ("v1.2", "1.2", "no heading"),
    ],
)
def test_a_tag_the_version_and_the_changelog_agree(tag, version, said):
    found = refusal(tag, version, CHANGELOG)
    assert said in found
    assert bool(found) == bool(said)


def test_the_workflow_publishes_what_make_release_built_and_stores_no_password():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert 'make release RELEASE_TAG="$GITHUB_REF_NAME"' in [step.get("run") for step in jobs["build"]["steps"]]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build"
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text()
