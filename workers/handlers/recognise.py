"""Recognition of a chunk of documents: texts → local model → spans and questions, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linkner.detection import Detector
from linkner.errors import RejectedError, UnavailableError
from linkner.spans import Recognition
from workers.ports import Clock, Recognised, RecogniserClient, Store, StoredText

RECOGNISER_REFUSED = "recogniser-refused"
"""The reason on a document that the recognition service will not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniseDocuments:
    """Handles one `recognise` message.

    `skip_reason` set means that candidates are recorded but not asked about (`no-llm`). A busy or absent
    recognition service is tried again for `patience_s`, then the documents go back to the relay.
    """

    store: Store
    recogniser: RecogniserClient
    detector: Detector
    clock: Clock
    skip_reason: str | None = None
    patience_s: float = 60.0

    def __call__(self, document_ids: Sequence[int]) -> int:
        """Recognise those documents that still wait for it; how many were recorded."""
        texts = self.store.texts(document_ids)
        if not texts:
            return 0
        try:
            return self._recognise(texts)
        except UnavailableError:
            self.store.defer([stored.document_id for stored in texts], delay_s=5.0)
            raise

    def _recognise(self, texts: Sequence[StoredText]) -> int:
        try:
            model, recognitions = self._patiently([stored.text for stored in texts])
        except RejectedError:
            return self._without_the_refused(texts)
        return self.store.record_recognised(
            [
                self._recognised(stored.document_id, model=model, recognition=recognition)
                for stored, recognition in zip(texts, recognitions, strict=True)
            ]
        )

    def _patiently(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        give_up = self.clock.monotonic() + self.patience_s
        pause = 0.1
        while True:
            try:
                return self.recogniser.recognise(texts)
            except UnavailableError:
                if self.clock.monotonic() + pause > give_up:
                    raise
                self.clock.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _without_the_refused(self, texts: Sequence[StoredText]) -> int:
        """Halve a refused chunk until the document that the service refuses stands alone."""
        if len(texts) == 1:
            return self.store.fail_recognition([texts[0].document_id], reason=RECOGNISER_REFUSED)
        middle = len(texts) // 2
        return self._recognise(texts[:middle]) + self._recognise(texts[middle:])

    def _recognised(self, document_id: int, *, model: str, recognition: Recognition) -> Recognised:
        return Recognised(
            document_id=document_id,
            model=model,
            recognition=recognition,
            questions=tuple((candidate,) for candidate in self.detector.candidates(recognition)),
            skip_reason=self.skip_reason,
        )
