"""Questions about several candidates, partly answered and with proposals, over both stores."""

from __future__ import annotations

from dataclasses import replace

from linkner.linking import PROPOSED, link
from linkner.spans import OUTSIDE, Entity, LabelledSpan
from tests.contract.store.scene import ANNA, FOREVER_S, OSLO, UMIT, Ports, answer, ask, scored
from tests.support.joining import complete
from tests.support.one_question import claim_one, recall_one, record_one
from workers.ports import NO_ANSWER, CachedAnswer, ClaimedQuestion

ADDED = (LabelledSpan(OSLO, "location"),)


def claim(ports: Ports, question_id: int) -> ClaimedQuestion:
    claimed = claim_one(ports.store, question_id, lease_s=FOREVER_S, max_attempts=5)
    assert claimed is not None
    return claimed


def test_a_candidate_that_the_answer_lacks_says_so(ports: Ports) -> None:
    document_id, (question_id,) = ask(ports, [scored(ANNA), scored(UMIT)])
    claimed = claim(ports, question_id)
    assert claimed.candidates == (ANNA, UMIT)
    assert record_one(ports.store, claimed, answer({ANNA: "person"}))
    (joinable,) = ports.store.joinable([document_id])
    assert joinable.answers == {ANNA: "person"}
    assert joinable.unanswered == {UMIT: NO_ANSWER}
    assert joinable.proposals == ()


def test_proposals_come_to_the_join_and_become_entities(ports: Ports) -> None:
    document_id, (question_id,) = ask(ports, [scored(ANNA, OUTSIDE), scored(UMIT, OUTSIDE)])
    said = replace(answer({ANNA: "person", UMIT: OUTSIDE}, replayed=True), proposals=ADDED)
    assert record_one(ports.store, claim(ports, question_id), said)
    (joinable,) = ports.store.joinable([document_id])
    assert joinable.proposals == ADDED
    linked = link(
        entities=joinable.entities,
        plausible=joinable.plausible,
        answers=joinable.answers,
        unanswered=joinable.unanswered,
        proposals=joinable.proposals,
    )
    assert complete(ports.store, {document_id: linked}) == 1
    view = ports.reader.document(document_id)
    assert view is not None
    anna, oslo = view.entities
    assert (anna.text, anna.decided_by, anna.reason) == ("Anna", "llm", None)
    assert (oslo.text, oslo.label, oslo.decided_by, oslo.reason) == ("Oslo", "location", "llm", PROPOSED)
    assert (oslo.probability, oslo.uncertainty) == (0.0, 1.0)
    for entity in (anna, oslo):
        assert (entity.llm_model, entity.prompt_version, entity.replayed) == ("llm-1", "p1", True)


def test_a_proposal_in_an_answer_without_any_label_counts(ports: Ports) -> None:
    document_id, (question_id,) = ask(ports, [scored(ANNA)])
    record_one(ports.store, claim(ports, question_id), replace(answer({}), proposals=ADDED))
    (joinable,) = ports.store.joinable([document_id])
    assert (joinable.unanswered, joinable.proposals) == ({ANNA: NO_ANSWER}, ADDED)


def test_what_two_questions_propose_comes_once_and_is_credited_to_the_first(ports: Ports) -> None:
    document_id, question_ids = ask(ports, [scored(ANNA)], [scored(UMIT)])
    for number, (question_id, span) in enumerate(zip(question_ids, (ANNA, UMIT), strict=True)):
        said = replace(answer({span: OUTSIDE}), model=f"llm-{number}", proposals=ADDED)
        record_one(ports.store, claim(ports, question_id), said)
    (joinable,) = ports.store.joinable([document_id])
    assert joinable.proposals == ADDED
    complete(ports.store, {document_id: [Entity(OSLO, "location", "llm", 0.0, 1.0, PROPOSED)]})
    view = ports.reader.document(document_id)
    assert view is not None
    assert [(entity.label, entity.llm_model) for entity in view.entities] == [("location", "llm-0")]


def test_the_answer_cache_keeps_proposals(ports: Ports) -> None:
    _, (first, second) = ask(ports, [scored(ANNA)], [scored(UMIT)])
    kept = CachedAnswer(b"key", ("person",), "llm-1", "p1", "raw", replayed=False, proposals=ADDED)
    said = replace(answer({ANNA: "person"}), proposals=ADDED)
    assert record_one(ports.store, claim(ports, first), said, keep=kept)
    assert recall_one(ports.store, claim(ports, second), b"key", max_age_s=FOREVER_S) == kept
