"""What the handlers need from the world: protocols and the values that cross them.

Each port has a fake in `tests/fakes` and a real adapter built in `workers.bootstrap`; one contract test
in `tests/contract` runs over both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from broker.limits import NOTHING_SAID, Demand, Permit, Refusal, Result, Said
from linkner.classification import Prompt
from linkner.errors import ServiceError
from linkner.pricing import Usage
from linkner.spans import DecidedBy, Entity, LabelledSpan, Recognition, ScoredSpan, Span

Scope = Literal["submit", "read", "admin"]
"""What an API key may do: send posts, read results, operate the system."""

Stage = Literal["recognise", "classify", "aggregate"]
"""A queue that the relay feeds; the ids in it are documents', questions' and documents'."""


Lane = Literal["now", "batch", "never"]
"""When a document is asked about: as soon as possible, within a day for half the price, or not at all."""

ATTEMPTS_EXHAUSTED = "attempts-exhausted"
"""The reason of a question or a document that was tried too often without coming to an end."""

NO_ANSWER = "no-answer"
"""The reason of a candidate whose question was answered, but not about it."""

DEADLINE = "deadline"
"""The reason of a question or a document that still waited past its deadline."""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A post as a producer sends it, already checked: bounded, no NUL, no lone surrogates.

    `lane` and `deadline_s` (from when it is accepted) hold for this post; None leaves them to its source.
    """

    source: str
    external_id: str
    text: str
    created_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one NewDocument: its id, and whether it was there before (`duplicate`).

    `conflict` is true where a document of that source and external id exists with another text; the stored
    one is kept.
    """

    document_id: int
    duplicate: bool
    conflict: bool


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of one stored document, and how often its recognition was begun before.

    `lane` and `deadline_s` are those that the document came with.
    """

    document_id: int
    source: str
    text: str
    attempts: int
    lane: Lane | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """The recogniser's result for one document, with the questions to ask of it.

    Each question is the spans of its candidates. `skip_reason` set means that they are not to be asked
    (`no-llm`): they are recorded as ended with that reason. `deadline_s` after the document was accepted they
    end unanswered; None leaves that to the sweep.
    """

    document_id: int
    model: str
    recognition: Recognition
    questions: tuple[tuple[ScoredSpan, ...], ...]
    skip_reason: str | None = None
    deadline_s: float | None = None
    lane: Lane = "now"


@dataclass(frozen=True, slots=True)
class ClaimedQuestion:
    """A question that this caller holds until its lease ends. `fence` must come back with the answer."""

    question_id: int
    document_id: int
    fence: int
    attempts: int
    source: str
    text: str
    candidates: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The LLM's answer to one question: a label (`OUTSIDE` for Non-entity) for each candidate.

    Those that the reply says nothing of are missing. `proposals` are what the LLM added to the candidates.
    `replayed` is true where the reply was recorded earlier and not made by an LLM for this call; `cached`
    where it is the answer to an equal question, which cost nothing again.
    """

    labels: Mapping[Span, str]
    model: str
    prompt_version: str
    raw: str
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    cached: bool = False
    proposals: tuple[LabelledSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was answered, readably or not: what it used, and its `cost` where its price is known.

    `model` is the one that was asked for. `batched` calls came through the endpoint's batch API.
    """

    endpoint: str
    model: str
    usage: Usage
    cost: Decimal | None
    replayed: bool
    batched: bool = False


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer as all questions of one `key` share it: a label for each candidate, in text order.

    Keys are those of `linkner.repeats.question_key`. Proposals count code points of the normalised text.
    """

    key: bytes
    labels: tuple[str, ...]
    model: str
    prompt_version: str
    raw: str
    replayed: bool
    proposals: tuple[LabelledSpan, ...] = ()


Recalled = CachedAnswer | Literal["ask", "put-off", "stale"]
"""What the answer cache says to a claimed question: see `Store.recall`."""


@dataclass(frozen=True, slots=True)
class Joinable:
    """All that linking needs for one document whose questions have all ended.

    `answers` has the label of each answered candidate; `unanswered` the reason of each one without answer;
    `proposals` are what the LLM added, each once and in text order.
    """

    document_id: int
    entities: tuple[ScoredSpan, ...]
    plausible: tuple[ScoredSpan, ...]
    answers: Mapping[Span, str]
    unanswered: Mapping[Span, str]
    proposals: tuple[LabelledSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the LLM sent back. `cached_prompt_tokens` are those that the provider's prompt cache served.

    `said` is what the response told about the endpoint's limits.
    """

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    replayed: bool
    cached_prompt_tokens: int = 0
    said: Said = NOTHING_SAID

    @property
    def usage(self) -> Usage:
        """The tokens of the call."""
        return Usage(self.prompt_tokens, self.completion_tokens, cached_prompt=self.cached_prompt_tokens)


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply, and the call that got it."""

    reply: Reply
    call: Call


@dataclass(frozen=True, slots=True)
class EntityView:
    """One entity as a consumer sees it: code point offsets, surface, and how its label came about."""

    start: int
    end: int
    text: str
    label: str
    decided_by: DecidedBy
    reason: str | None
    probability: float
    uncertainty: float
    model: str
    llm_model: str | None
    prompt_version: str | None
    replayed: bool
    cached: bool


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document as a consumer sees it.

    `status` is `accepted` (nothing known yet), `provisional` (the local model's entities, questions open) or
    `final`. `reason` says why a final document has no local result (it could not be recognised).
    """

    document_id: int
    source: str
    external_id: str
    text: str
    created_at: datetime | None
    metadata: Mapping[str, Any]
    accepted_at: datetime
    completed_at: datetime | None
    status: Literal["accepted", "provisional", "final"]
    revision: int
    reason: str | None
    entities: tuple[EntityView, ...]


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One finished revision of a document; a reader goes on after `cursor`."""

    cursor: int
    document: DocumentView


@dataclass(frozen=True, slots=True)
class Counts:
    """One look at the whole store, each as counts by name.

    documents by state (accepted, recognised, classified, complete); questions by state (pending, claimed,
    answered, dead); ended-without-answer questions by reason; documents without a local result by reason, but
    for those dropped; `parked` messages; entities of complete documents by decided_by; `replayed` answers and
    `cached` ones (from the answer cache); `oldest_unfinished_s`: age of the oldest unfinished document.
    """

    documents: Mapping[str, int]
    questions: Mapping[str, int]
    dead_reasons: Mapping[str, int]
    dead_documents: Mapping[str, int]
    parked: int
    decided_by: Mapping[str, int]
    replayed: int
    cached: int
    oldest_unfinished_s: float


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """One look at the answer cache.

    `answers` kept and `promised` (being asked for) are rows of it, `oldest_s` is the oldest answer's age and
    `bytes` its size. Of all `answered` questions, `from_cache` were answered from it.
    """

    answers: int
    promised: int
    oldest_s: float
    bytes: int
    answered: int
    from_cache: int

    @property
    def hit_rate(self) -> float:
        """The share of answered questions that cost no call, in [0, 1]."""
        return self.from_cache / self.answered if self.answered else 0.0


CostsBy = Literal["source", "day", "model", "endpoint"]


@dataclass(frozen=True, slots=True)
class CostRow:
    """What the calls of one source, day (UTC), model or endpoint used and cost.

    `cost` leaves out the `unpriced` ones, whose price was not known. Of all calls, `replayed` went to no LLM.
    """

    name: str
    calls: int
    replayed: int
    unpriced: int
    prompt_tokens: int
    cached_prompt_tokens: int
    completion_tokens: int
    cost: Decimal


class Ledger(Protocol):
    """What LLM calls cost."""

    def costs(self, by: CostsBy, *, within_s: float) -> list[CostRow]:
        """The calls of the last `within_s`, in groups, by name."""

    def spent_today(self) -> Mapping[str, Decimal]:
        """The cost of this day's (UTC) calls, by source."""


class Reader(Protocol):
    """Read-only view of the store, for consumers and operators."""

    def document(self, document_id: int) -> DocumentView | None: ...

    def find(self, *, source: str, external_id: str) -> DocumentView | None: ...

    def feed(self, *, after: int, limit: int) -> list[FeedItem]:
        """Finished documents with cursor > after, in commit order: following it misses none.

        A document comes once for each revision; one that has been replaced since is left out.
        """

    def counts(self) -> Counts: ...

    def cache(self) -> CacheCounts:
        """The answer cache as it is now. Reads whole tables, as `counts` does."""

    def unfinished(self) -> int:
        """Accepted documents that are not complete; cheap enough to ask before each request."""

    def ping(self) -> None:
        """Raises UnavailableError where the store cannot be reached or is not migrated."""


class Store(Protocol):
    """The truth: PostgreSQL. Every method is one transaction."""

    def accept(self, documents: Sequence[NewDocument]) -> list[Accepted]:
        """Insert new documents; one result for each, in order. Idempotent by (source, external_id)."""

    def texts(self, document_ids: Collection[int]) -> list[StoredText]:
        """The texts of those documents that still wait for recognition, by id."""

    def record_recognised(self, results: Sequence[Recognised]) -> int:
        """Write spans and questions and move documents on; how many had not been recognised before."""

    def begin_recognition(self, document_ids: Collection[int]) -> int:
        """Count an attempt at those documents that wait for recognition; how many.

        It comes before the work: a text that kills the process that works on it is counted too.
        """

    def fail_recognition(self, document_ids: Collection[int], *, reason: str, error: str | None) -> int:
        """End documents that cannot be recognised: no entities, with the reason; how many."""

    def defer(self, documents: Collection[StoredText], *, delay_s: float, error: str | None) -> int:
        """Have the relay publish documents that wait for recognition again after the delay; how many.

        With `error` the attempt at them counts; without, their count is what it was when they were read.
        """

    def claim(self, question_id: int, *, lease_s: float, max_attempts: int) -> ClaimedQuestion | None:
        """Take a question, or None where it has ended, is held, or has just been ended as poison."""

    def recall(self, claim: ClaimedQuestion, key: bytes, *, max_age_s: float) -> Recalled:
        """The answer to the questions of this key, where one younger than `max_age_s` is known.

        `ask`: none is, and this claim has now promised to get it before its lease ends. `put-off`: another
        claim has; the question was given back, and comes when the answer does or that lease ends, without
        counting as an attempt. `stale`: the claim is no longer held.
        """

    def record_answer(
        self,
        claim: ClaimedQuestion,
        answer: Answer,
        *,
        keep: CachedAnswer | None = None,
        call: Call | None = None,
    ) -> bool:
        """Write the answer; False where the fence is stale and nothing was written.

        `keep` is kept for questions of the same key; those that were put off become due. `call` is the call
        that gave the answer, recorded with it.
        """

    def record_call(self, claim: ClaimedQuestion, call: Call) -> None:
        """Write what a call used and cost whose reply became no answer."""

    def release(self, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
        """Give a question back, to be published again after the delay.

        With `error` the attempt counts; without, it does not (nothing was asked).
        """

    def end_question(self, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
        """End a question without an answer; False where the fence is stale."""

    def purge_cache(self, *, older_than_s: float) -> int:
        """Forget the cache's answers from before that, and promises that ended without one; how many."""

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        """Those documents whose questions have all ended and which are not complete yet."""

    def complete(self, entities: Mapping[int, Sequence[Entity]]) -> int:
        """Write entities and feed rows and finish documents; how many had not been complete before."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key of the gateway; `posts_per_minute` None means no quota."""

    key_id: int
    name: str
    scopes: frozenset[Scope]
    posts_per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None


class Keys(Protocol):
    """The gateway's view of its API keys."""

    def find(self, key: str) -> ApiKey | None:
        """The key, unless it is not known or was revoked."""

    def charge(self, key_id: int, *, posts: int) -> float:
        """Take posts from the key's quota: 0.0 if they may come now, else seconds to wait (nothing taken)."""


@dataclass(frozen=True, slots=True)
class BatchedQuestion:
    """A question of a batch; `dead` means that it has ended without an answer."""

    question_id: int
    document_id: int
    source: str
    text: str
    candidates: tuple[Span, ...]
    state: Literal["open", "answered", "dead"]


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch that is under way. `provider_id` is None until it is known that the provider has it."""

    batch_id: int
    name: str
    provider_id: str | None
    age_s: float


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as an operator sees it: how many of its questions wait for it, and how many it answered."""

    name: str
    state: Literal["preparing", "submitted", "closed"]
    provider_id: str | None
    created_at: datetime
    ended_at: datetime | None
    error: str | None
    waiting: int
    answered: int


class Batches(Protocol):
    """The store's view of questions that are asked in batches. Every method is one transaction."""

    def gather(self, *, at_least: int, at_most: int, after_s: float) -> StoredBatch | None:
        """Make a batch of waiting questions, if there are so many, or one has waited so long."""

    def open(self) -> list[StoredBatch]:
        """The batches under way, the oldest first."""

    def members(self, batch_id: int) -> list[BatchedQuestion]:
        """The questions of a batch, by id."""

    def submitted(self, batch_id: int, *, provider_id: str) -> None:
        """Write down what the provider calls the batch."""

    def close(self, batch_id: int, *, error: str | None, calls: Mapping[int, Call]) -> None:
        """End a batch; questions that are still open wait for the next one.

        `calls` are those that the batch was, each by a question that it answers; they are recorded with the
        end, and so once.
        """

    def known(self, keys: Collection[bytes], *, max_age_s: float) -> set[bytes]:
        """Those keys that the answer cache has an answer to, younger than `max_age_s`."""

    def reopen_late(self, batch_id: int) -> int:
        """Open those questions of a batch again that its answer comes too late for, and their documents."""


class Outbox(Protocol):
    """The relay's view of the store."""

    def publish_due(self, stage: Stage, *, limit: int, send: Sender) -> int:
        """Hand up to `limit` due ids to `send` and mark them published; how many.

        Rows are locked (SKIP LOCKED) while they are sent: a crash in between sends them again.
        """

    def sweep(
        self, *, republish_after_s: float, deadline_s: float, document_deadline_s: float
    ) -> Mapping[str, int]:
        """Free expired leases, republish what was lost, end questions and unrecognised documents past their
        deadlines (with the reason `deadline`), move on documents whose questions have all ended; counts by
        kind. `deadline_s` is the age of questions whose documents have no deadline of their own."""

    def wait(self, *, timeout_s: float) -> bool:
        """Wait for news of due rows (LISTEN); False on time-out."""


class Sender(Protocol):
    """Puts ids on a stage's queue."""

    def __call__(self, ids: Sequence[int]) -> None: ...


class Queues(Protocol):
    """The broker: hand-off of ids, which it may lose or repeat."""

    def send(self, stage: Stage, ids: Sequence[int]) -> None:
        """Publish one message. Raises UnavailableError where the broker does not take it."""

    def depth(self, stage: Stage) -> int:
        """Messages that wait in the stage's queue (not those being worked on)."""


class RecogniserClient(Protocol):
    """The recognition service."""

    def recognise(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        """The model's name and one recognition for each text, in order.

        Raises UnavailableError (busy or down: try later), RejectedError (this chunk will never pass) or
        CrashedError (the service failed at it).
        """


class Llm(Protocol):
    """A large language model behind an OpenAI-compatible endpoint."""

    def ask(self, prompt: Prompt) -> Reply:
        """One call within the hard deadline. Raises UnavailableError or RejectedError."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """Whether a batch has ended, and what kept it, or a part of it, from being answered."""

    ended: bool
    error: str | None


class BatchLlm(Protocol):
    """A large language model that answers many prompts some time later, for less money.

    Every method raises UnavailableError or RejectedError.
    """

    def submit(self, name: str, prompts: Mapping[str, Prompt]) -> str:
        """Ask for a batch of these prompts, each with an id of at most 64 characters; the batch's id."""

    def find(self, name: str) -> str | None:
        """The id of the batch that was submitted by this name, where it was."""

    def state(self, batch_id: str) -> BatchState: ...

    def results(self, batch_id: str) -> Mapping[str, Reply | ServiceError]:
        """What became of each prompt of a batch that has ended, by its id; some may be missing."""

    def discard(self, batch_id: str) -> None:
        """Have the provider forget what was sent and answered."""


class Llms(Protocol):
    """All endpoints that may be asked, behind their limits."""

    def ask(self, prompt: Prompt) -> Asked:
        """One call at one of them. Raises as `Llm.ask` does, and BudgetSpentError."""


class Limiter(Protocol):
    """The limits and the circuit breaker of one LLM endpoint, shared by all callers."""

    def reserve(self, demand: Demand, *, max_wait_s: float) -> Permit | Refusal:
        """A permit to start within `max_wait_s`, with all that the call may take, or a refusal and nothing.

        Fails closed: raises UnavailableError where the state cannot be reached.
        """

    def settle(self, permit: Permit, result: Result) -> None:
        """Tell how the call of a permit ended, which gives back what it did not take."""


class Clock(Protocol):
    """Time, so that tests need none."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...
