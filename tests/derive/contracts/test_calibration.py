"""The confidence of a claim is the share of labelled claims of its kind that were right, and holds where nobody looked before."""

from tests.benchmarks.calibration import ENOUGH, NEAR, bins, fitted, repositories
from tests.derive.contracts import texts
from workermd.derive.calibration import SHARES, calibrated, group
from workermd.derive.compose import derive


def test_the_shares_are_those_of_the_labels():
    assert fitted() == SHARES
    assert (repositories("fit") >= 40, repositories("held") >= 20) == (True, True)


def test_each_bin_of_the_held_repositories_is_near_what_is_stated():
    large = [each for each in bins() if each.all >= ENOUGH]
    assert len(large) >= 2
    assert [each for each in large if abs(each.observed - each.stated) > NEAR] == []


def test_a_contract_states_what_its_claims_are_worth(build):
    files = {
        "README.md": "# Widget\n\nWidget sorts things by size.\n\n```sh\npip install widget\n```\n",
        "LICENSE": texts.MIT,
    }
    claims = {claim.field: claim.confidence for claim in derive(build(files)).record.claims}
    assert claims["repository_license"] == calibrated("repository_license", 1.0) == SHARES["stated"]
    assert claims["install"] == SHARES["install"]
    assert claims["interface"] == 0.2
    assert group("interface", 0.8) == ""
