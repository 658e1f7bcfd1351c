"""The rules in the order in which they run, by section of the file. A rule that is not listed does not exist."""

from workermd.lint import answers, bounds, characters, evidence, front_matter, instructions, purpose, schemas, secrets
from workermd.lint.rule import Check

CHECKS: tuple[Check, ...] = (
    Check("WM120", front_matter.repeated_tags),
    Check("WM121", front_matter.missing_keys),
    Check("WM122", front_matter.semantic_version),
    Check("WM123", front_matter.derived_before),
    Check("WM124", front_matter.misspelt_mode),
    Check("WM320", evidence.badges),
    Check("WM321", evidence.licence),
    Check("WM322", evidence.texts_licence),
    Check("WM323", evidence.maintenance),
    Check("WM510", schemas.unknown_keywords),
    Check("WM511", schemas.other_drafts),
    Check("WM512", schemas.beyond_the_closed),
    Check("WM513", schemas.contradictions),
    Check("WM514", schemas.idle_keywords),
    Check("WM515", schemas.admits_everything),
    Check("WM516", schemas.beside_reference),
    Check("WM620", bounds.attempts_that_do_not_fit),
    Check("WM621", bounds.pauses_that_do_not_fit),
    Check("WM622", bounds.odd_tools),
    Check("WM623", bounds.idle_backoff),
    Check("WM713", purpose.missing),
    Check("WM720", answers.run_id_in_output),
    Check("WM721", answers.nobody_to_ask),
    Check("WM901", secrets.held, whole=False),
    Check("WM902", instructions.spoken, whole=False),
    Check("WM903", characters.unseen, whole=False),
)
