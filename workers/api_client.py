"""The gateway's HTTP interface, from a client's side: what the commands use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from linkner.errors import ConfigurationError, RejectedError, UnavailableError

BATCH = 500
"""Most lines in one request."""

BATCH_BYTES = 2_000_000
"""Bytes after which a request takes no further line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of some lines: how many were accepted, there before, or refused, and each refusal."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    refusals: tuple[str, ...] = ()

    def __add__(self, other: Submitted) -> Submitted:
        return Submitted(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
            refusals=(*self.refusals, *other.refusals)[:20],
        )


class GatewayClient:
    """A client of one gateway. A busy gateway is asked again when it said, for up to `patience_s`.

    Raises ConfigurationError where the URL cannot be one.
    """

    def __init__(self, url: str, *, api_key: str = "", patience_s: float = 120.0) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=_checked(url), headers=headers, timeout=60.0, trust_env=False)
        self._patience_s = patience_s

    def submit(self, lines: Iterable[bytes], *, told: Callable[[int], None] = lambda _: None) -> Submitted:
        """Submit NDJSON lines in batches; `told` hears how many lines each batch had.

        Raises:
            UnavailableError: the gateway stayed busy or away.
            RejectedError: it refused a whole batch.
        """
        total, first_line = Submitted(), 1
        for batch in _batches(lines):
            total += self._submit_batch(batch, first_line=first_line)
            first_line += len(batch)
            told(len(batch))
        return total

    def feed(self, *, after: int, limit: int = 1000) -> tuple[list[dict[str, Any]], int]:
        """Finished documents after the cursor, and the cursor to go on from."""
        page = self.feed_page(after=after, limit=limit)
        return page["items"], page["next"]

    def feed_page(self, *, after: int, limit: int = 1000) -> dict[str, Any]:
        """The same with what was `erased`."""
        return self._get("/v1/feed", after=after, limit=limit)

    def follow(self) -> Iterator[list[dict[str, Any]]]:
        """Pages of the feed from its beginning, for ever; an empty one where nothing was new."""
        after = 0
        while True:
            items, after = self.feed(after=after)
            yield items

    def document(self, *, source: str, external_id: str) -> dict[str, Any]:
        """One document by its producer's names. Raises RejectedError where there is none."""
        return self._get("/v1/documents", source=source, external_id=external_id)

    def status(self) -> dict[str, Any]:
        """Counts of documents, questions and decisions, and queue depths."""
        return self._get("/v1/status")

    def submit_items(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
        """Submit one batch of NDJSON lines; what became of each, in order. Raises as `submit` does."""
        items: list[dict[str, Any]] = self._submit(lines)["items"]
        return items

    def _submit(self, lines: Sequence[bytes]) -> dict[str, Any]:
        response = self._send(
            lambda: self._http.post(
                "/v1/documents",
                content=b"\n".join(line.rstrip(b"\r\n") for line in lines) + b"\n",
                headers={"content-type": "application/x-ndjson"},
            )
        )
        body = _body(response)
        if "items" not in body:
            raise _refusal("the posts", body, response)
        return body

    def _submit_batch(self, lines: Sequence[bytes], *, first_line: int) -> Submitted:
        body = self._submit(lines)
        refusals = tuple(
            f"line {first_line + item['line'] - 1}: {_in_words(item['error'])}"
            for item in body["items"]
            if item["status"] == "rejected"
        )
        return Submitted(
            accepted=body["accepted"],
            duplicates=body["duplicates"],
            rejected=body["rejected"],
            refusals=refusals[:20],
        )

    def _get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        response = self._send(lambda: self._http.get(path, params=parameters))
        body = _body(response)
        if response.status_code != 200:
            raise _refusal(path, body, response)
        return body

    def _send(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                response = request()
            except httpx.TransportError as error:
                problem, pause_s = f"{type(error).__name__}: {error}", 1.0
            else:
                if response.status_code not in (429, 503):
                    return response
                problem, pause_s = f"HTTP {response.status_code}", _retry_after(response)
            if time.monotonic() + pause_s > give_up:
                raise UnavailableError(
                    "the gateway did not take the request",
                    got=problem,
                    hint=f"is a stack running at {self._http.base_url}? `linkner up` starts one",
                )
            time.sleep(pause_s)


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
        usable = parsed.scheme in ("http", "https") and bool(parsed.host)
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise ConfigurationError(
            "the gateway's URL cannot be used", expected="such as http://127.0.0.1:8080", got=url
        )
    return url


def _body(response: httpx.Response) -> dict[str, Any]:
    """What the gateway answered; empty where it is no JSON object."""
    try:
        body = response.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _refusal(what: str, body: Mapping[str, Any], response: httpx.Response) -> RejectedError:
    """In the gateway's own words; another server's as they came."""
    error = body.get("error")
    if not isinstance(error, dict) or "problem" not in error:
        return RejectedError(f"the gateway refused {what}", got=response.text[:500])
    details = {name: str(error.get(name, "")) for name in ("expected", "got", "hint")}
    return RejectedError(f"the gateway refused {what}: {error['problem']}", **details)


def _in_words(error: dict[str, str]) -> str:
    named = [f"{name} {error[name]}" for name in ("expected", "got") if error[name]]
    return "; ".join([error["problem"], *named])


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), 30.0) if value.isdigit() else 1.0
