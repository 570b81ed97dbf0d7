"""What the handlers need from the world: protocols and the values that cross them.

Each port has a fake in `tests/fakes` and a real adapter built in `workers.bootstrap`; one contract test
in `tests/contract` runs over both.
"""

from __future__ import annotations

from workers.ports.batches import NO_QUESTION, BatchedQuestion, Batches, BatchView, StoredBatch
from workers.ports.clock import Clock
from workers.ports.documents import Accepted, Lane, NewDocument, QuestionLane, Recognised, StoredText
from workers.ports.erasure import Erased, Erasure, Selection
from workers.ports.keys import ApiKey, Keys, Scope
from workers.ports.ledger import Call, CostRow, CostsBy, Ledger
from workers.ports.limiter import Limiter
from workers.ports.llm import BatchLlm, BatchState, Llm, Llms, Reply
from workers.ports.questions import Answer, Answered, CachedAnswer, ClaimedQuestion, Joinable, Recalled
from workers.ports.queues import Outbox, Queues, Sender, Stage
from workers.ports.reader import (
    Backlog,
    CacheCounts,
    Counts,
    DocumentView,
    EntityView,
    FeedItem,
    Reader,
    Waits,
)
from workers.ports.reasons import (
    ATTEMPTS_EXHAUSTED,
    BUDGET,
    DEADLINE,
    LANE_NEVER,
    LLM_REFUSED,
    NO_ANSWER,
    NO_LLM,
    RECOGNISER_REFUSED,
    UNREADABLE,
    UNUSABLE,
)
from workers.ports.recogniser import RecogniserClient
from workers.ports.slots import Slots
from workers.ports.store import Store
from workers.ports.troubles import Note, Trouble, forget, of_llm

__all__ = [
    "ATTEMPTS_EXHAUSTED",
    "BUDGET",
    "DEADLINE",
    "LANE_NEVER",
    "LLM_REFUSED",
    "NO_ANSWER",
    "NO_LLM",
    "NO_QUESTION",
    "RECOGNISER_REFUSED",
    "UNREADABLE",
    "UNUSABLE",
    "Accepted",
    "Answer",
    "Answered",
    "ApiKey",
    "Backlog",
    "BatchLlm",
    "BatchState",
    "BatchView",
    "BatchedQuestion",
    "Batches",
    "CacheCounts",
    "CachedAnswer",
    "Call",
    "ClaimedQuestion",
    "Clock",
    "CostRow",
    "CostsBy",
    "Counts",
    "DocumentView",
    "EntityView",
    "Erased",
    "Erasure",
    "FeedItem",
    "Joinable",
    "Keys",
    "Lane",
    "Ledger",
    "Limiter",
    "Llm",
    "Llms",
    "NewDocument",
    "Note",
    "Outbox",
    "QuestionLane",
    "Queues",
    "Reader",
    "Recalled",
    "Recognised",
    "RecogniserClient",
    "Reply",
    "Scope",
    "Selection",
    "Sender",
    "Slots",
    "Stage",
    "Store",
    "StoredBatch",
    "StoredText",
    "Trouble",
    "Waits",
    "forget",
    "of_llm",
]
