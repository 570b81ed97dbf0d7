"""ports.RecogniserClient over the recognition service's HTTP interface."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from linkner.chunks import MAX_RESPONSE_BYTES, read_response, write_request
from linkner.errors import CrashedError, InputError, RejectedError, ServiceError, UnavailableError
from linkner.spans import Recognition
from workers.quota_headers import retry_after_s

_REFUSALS = (400, 413, 422)


class HttpRecogniser:
    """Sends chunks to one recognition service; threads may share it.

    Only what the service says of the texts themselves is a refusal, and only a failure inside the service
    (an exception, a replica that died) may be their fault. All else (another service on that address,
    another protocol version, a body that cannot be read) is none of theirs: they wait until it is put right.
    """

    def __init__(self, base_url: str, *, timeout_s: float) -> None:
        """`timeout_s` bounds the wait for a connection and for each part of the answer."""
        self._client = httpx.Client(
            base_url=base_url, timeout=timeout_s, headers={"accept-encoding": "identity"}
        )

    def recognise(self, texts: Sequence[str]) -> tuple[str, list[Recognition]]:
        """The model's name and one recognition for each text, in order.

        Raises:
            UnavailableError: busy, down, too slow, or not the service that was expected.
            RejectedError: the service will never take this chunk; a smaller one may pass.
            CrashedError: the service failed at this chunk.
        """
        try:
            with self._client.stream("POST", "/recognise", content=write_request(texts)) as response:
                body = _body(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(
                "the recognition service cannot be reached",
                got=type(error).__name__,
                hint="check that it runs and LINKNER_RECOGNISER_URL",
            ) from error
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, body)
        try:
            return read_response(body, count=len(texts))
        except InputError as error:
            raise UnavailableError(
                "the recognition service's answer cannot be read",
                got=error.problem,  # and not what was in its place, which may be a text
            ) from error

    def close(self) -> None:
        """Close the connections; no call may follow."""
        self._client.close()


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > MAX_RESPONSE_BYTES:
            raise UnavailableError(
                "the recognition service's answer is too large",
                expected=f"at most {MAX_RESPONSE_BYTES} bytes",
            )
    return bytes(body)


def _refusal(response: httpx.Response, body: bytes) -> ServiceError:
    got = f"HTTP {response.status_code}"
    if response.status_code in _REFUSALS:
        said = body[:300].decode(errors="replace")
        return RejectedError("the recognition service refused the chunk", got=f"{got}: {said}")
    if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        return CrashedError("the recognition service failed at the chunk", got=got, hint="its log says why")
    return UnavailableError(
        "the recognition service cannot answer now", got=got, retry_after_s=retry_after_s(response.headers)
    )
