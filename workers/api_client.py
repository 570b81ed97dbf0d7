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
"""Most bytes of the lines in one request; a longer line has one of its own."""

_TOO_LARGE = 413

_Line = tuple[int, bytes]
"""A line's number, from 1, and what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of some lines: how many were accepted, there before, in conflict, or rejected.

    A conflict has the names of a post that is there with another text, which is kept. `refusals` say why
    lines were not taken, conflicts among them.
    """

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    refusals: tuple[str, ...] = ()

    def __add__(self, other: Submitted) -> Submitted:
        return Submitted(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            conflicts=self.conflicts + other.conflicts,
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
        """Submit NDJSON lines in batches, without blank ones; `told` hears how many lines each batch had.

        Raises:
            UnavailableError: the gateway stayed busy or away.
            RejectedError: it refused a whole batch.
        """
        total = Submitted()
        for batch in _batches(lines):
            total += self._submit_batch(batch)
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

    def findings(self) -> list[dict[str, str]]:
        """What is wrong: `kind`, `problem` and `hint` of each. Raises RejectedError where it cannot say."""
        found: list[dict[str, str]] = self._get("/v1/findings")["findings"]
        return found

    def submit_items(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
        """Submit one batch of NDJSON lines; what became of each, in order. Raises as `submit` does."""
        items: list[dict[str, Any]] = _results(self._post(lines))["items"]
        return items

    def _post(self, lines: Sequence[bytes]) -> httpx.Response:
        return self._send(
            lambda: self._http.post(
                "/v1/documents",
                content=b"\n".join(line.rstrip(b"\r\n") for line in lines) + b"\n",
                headers={"content-type": "application/x-ndjson"},
            )
        )

    def _submit_batch(self, batch: Sequence[_Line]) -> Submitted:
        response = self._post([line for _, line in batch])
        if response.status_code == _TOO_LARGE:
            return self._submit_parts(batch)
        body = _results(response)
        refusals = tuple(
            f"line {number}: {_why(item)}"
            for (number, _), item in zip(batch, body["items"], strict=True)
            if item["status"] in ("conflict", "rejected")
        )
        return Submitted(
            accepted=body["accepted"],
            duplicates=body["duplicates"],
            conflicts=body["conflicts"],
            rejected=body["rejected"],
            refusals=refusals[:20],
        )

    def _submit_parts(self, batch: Sequence[_Line]) -> Submitted:
        """Halve a batch that the gateway, or a proxy before it, finds too large; refuse a single line."""
        if len(batch) > 1:
            middle = len(batch) // 2
            return self._submit_batch(batch[:middle]) + self._submit_batch(batch[middle:])
        [(number, line)] = batch
        return Submitted(
            rejected=1, refusals=(f"line {number}: it is too large for a request; got {len(line)} bytes",)
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


def _batches(lines: Iterable[bytes]) -> Iterator[list[_Line]]:
    batch: list[_Line] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if batch and (len(batch) >= BATCH or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, line))
        size += len(line)
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


def _results(response: httpx.Response) -> dict[str, Any]:
    """What became of the posts of a request. Raises RejectedError where it was refused as a whole."""
    body = _body(response)
    if "items" not in body:
        raise _refusal("the posts", body, response)
    return body


def _why(item: Mapping[str, Any]) -> str:
    if item["status"] == "conflict":
        return "another text is there under its source and external_id, and is kept"
    return _in_words(item["error"])


def _in_words(error: Mapping[str, str]) -> str:
    named = [f"{name} {error[name]}" for name in ("expected", "got") if error[name]]
    return "; ".join([error["problem"], *named])


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), 30.0) if value.isdigit() else 1.0
