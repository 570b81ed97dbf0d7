"""Recognition of a chunk of documents: texts → local model → spans and questions, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from linkner.classification import Form
from linkner.detection import Detects
from linkner.detectors import Detectors
from linkner.errors import ConfigurationError, CrashedError, RejectedError, ServiceError, UnavailableError
from linkner.labels import LabelSet
from linkner.spans import Recognition
from workers.handlers.patience import patiently
from workers.handlers.policies import Policies
from workers.ports import (
    ATTEMPTS_EXHAUSTED,
    LANE_NEVER,
    RECOGNISER_REFUSED,
    Clock,
    Note,
    Recognised,
    RecogniserClient,
    Store,
    StoredText,
    forget,
)

log = logging.getLogger("linkner.recognise")


_HARMLESS = "Hello"
_AWAY_PAUSE_S = 5.0


class _AtEveryTextError(UnavailableError):
    """The service is there and fails whatever the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseDocuments:
    """Handles one `recognise` message.

    `policies` says of which documents candidates are recorded but not asked about, and until when of the
    others; with `skip_reason` none are (`no-llm`). A busy or absent recognition service is tried again for
    `patience_s`, then the documents go back to the relay. A text that the service fails at, that kills the
    process working on it, or that brings out a defect is tried `max_attempts` times and holds up no other.
    A model of other labels than `label_set`, or without the calibration that a budget needs, is as good as
    absent: its documents wait until that is put right. `note` is told while the service stays away.
    """

    store: Store
    recogniser: RecogniserClient
    detectors: Detectors
    form: Form
    label_set: LabelSet
    clock: Clock
    max_attempts: int
    policies: Policies
    skip_reason: str | None = None
    patience_s: float = 60.0
    note: Note = forget

    def __call__(self, document_ids: Sequence[int]) -> int:
        """Recognise those documents that still wait for it; how many were finished with.

        What was begun before and did not come to an end is tried alone, so that it harms no other, and the
        later the more often.

        Raises:
            UnavailableError: the service or the store is away; what is left comes again.
        """
        chunks = self._chunks(document_ids)
        done = 0
        for number, chunk in enumerate(chunks):
            crashes: list[CrashedError] = []
            try:
                done += self._attempt(chunk, crashes)
            except UnavailableError as away:
                is_suspect = crashes and not isinstance(away, _AtEveryTextError)
                self._put_back([chunk], error=str(crashes[-1]) if is_suspect else None)
                self._put_back(chunks[number + 1 :], error=None)
                raise
        return done

    def _chunks(self, document_ids: Sequence[int]) -> list[list[StoredText]]:
        texts = sorted(self.store.texts(document_ids), key=lambda stored: stored.attempts)
        fresh = [stored for stored in texts if not stored.attempts]
        alone = [[stored] for stored in texts if stored.attempts]
        return [fresh, *alone] if fresh else alone

    def _put_back(self, chunks: Sequence[Sequence[StoredText]], *, error: str | None) -> None:
        """Have the relay publish them again, as soon as the store is there. With `error` the attempt at them
        counts: one of these texts may be why the service is away."""
        waiting = [stored for chunk in chunks for stored in chunk]
        if waiting:
            patiently(
                lambda: self.store.defer(waiting, delay_s=_AWAY_PAUSE_S, error=error),
                clock=self.clock,
                patience_s=self.patience_s,
            )

    def _attempt(self, texts: Sequence[StoredText], crashes: list[CrashedError]) -> int:
        ids = [stored.document_id for stored in texts]
        if texts[0].attempts >= self.max_attempts:
            error = f"none of {self.max_attempts} attempts came to an end"
            return self.store.fail_recognition(ids, reason=ATTEMPTS_EXHAUSTED, error=error)
        self.store.begin_recognition(ids)
        return self._recognise(texts, crashes)

    def _recognise(self, texts: Sequence[StoredText], crashes: list[CrashedError]) -> int:
        """Recognise them, in halves where that fails; what the service fails with is added to `crashes`."""
        try:
            return self._record(texts, *self._patiently([stored.text for stored in texts]))
        except UnavailableError:
            raise
        except Exception as error:
            if isinstance(error, CrashedError):
                crashes.append(error)
            if len(texts) == 1:
                return self._without_result(texts[0], error)
            middle = len(texts) // 2
            return sum(self._recognise(half, crashes) for half in (texts[:middle], texts[middle:]))

    def _record(self, texts: Sequence[StoredText], model: str, recognitions: Sequence[Recognition]) -> int:
        self._check_labels(model, recognitions)
        detector = self._detector(model)
        return self.store.record_recognised(
            [
                self._recognised(stored, model=model, recognition=recognition, detector=detector)
                for stored, recognition in zip(texts, recognitions, strict=True)
            ]
        )

    def _check_labels(self, model: str, recognitions: Sequence[Recognition]) -> None:
        spans = (span for found in recognitions for span in (*found.entities, *found.plausible))
        others = {label for span in spans for label in span.scores} - {*self.label_set.classes}
        if others:
            raise UnavailableError(
                f"the labels of the model {model} are not those of LINKNER_LABEL_SET",
                expected=f"those of {self.label_set.name}",
                got=", ".join(sorted(others)),
                hint="the recognition service's /healthz names its label set",
            )

    def _detector(self, model: str) -> Detects:
        try:
            return self.detectors.of(model)
        except ConfigurationError as error:
            raise UnavailableError(
                error.problem, expected=error.expected, got=error.got, hint="set LINKNER_CALIBRATION"
            ) from error

    def _patiently(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        return patiently(
            lambda: self.recogniser.recognise(texts),
            clock=self.clock,
            patience_s=self.patience_s,
            tell=lambda error: self.note("recognise", error),
        )

    def _without_result(self, stored: StoredText, error: Exception) -> int:
        """End a refused document; try any other again later, and end it after its attempts."""
        if isinstance(error, RejectedError):
            return self._end(stored, error, reason=RECOGNISER_REFUSED)
        if isinstance(error, CrashedError):
            self._blame_the_text(error)
        attempts = stored.attempts + 1
        if attempts >= self.max_attempts:
            return self._end(stored, error, reason=ATTEMPTS_EXHAUSTED)
        log.warning("action=put-off document=%s error=%s", stored.document_id, _loggable(error))
        self.store.defer([stored], delay_s=0.5 * 2**attempts, error=_problem(error))
        return 0

    def _end(self, stored: StoredText, error: Exception, *, reason: str) -> int:
        log.error("action=dead document=%s reason=%s error=%s", stored.document_id, reason, _loggable(error))
        return self.store.fail_recognition([stored.document_id], reason=reason, error=_problem(error))

    def _blame_the_text(self, crash: CrashedError) -> None:
        """Raise where the service fails at a harmless text too: then no document is at fault."""
        try:
            self._patiently([_HARMLESS])
        except (CrashedError, RejectedError) as error:
            raise _AtEveryTextError("the recognition service fails at every text", got=str(error)) from crash

    def _recognised(
        self, stored: StoredText, *, model: str, recognition: Recognition, detector: Detects
    ) -> Recognised:
        lane, deadline_s = self.policies.of(stored)
        return Recognised(
            document_id=stored.document_id,
            model=model,
            recognition=recognition,
            questions=self.form.grouped(detector.candidates(recognition)),
            skip_reason=self.skip_reason or (LANE_NEVER if lane == "never" else None),
            deadline_s=deadline_s,
            lane="batch" if lane == "batch" else "now",
        )


def _problem(error: Exception) -> str:
    """What a document keeps of an error."""
    if isinstance(error, ServiceError):
        return str(error)
    return f"its recognition failed: {type(error).__name__}: {error}"


def _loggable(error: Exception) -> str:
    """What the log says of an error: the message of a defect may quote the text."""
    return str(error) if isinstance(error, ServiceError) else type(error).__name__
