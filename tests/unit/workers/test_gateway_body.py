"""Bodies are read within their bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from workers.gateway.body import Bodies
from workers.gateway.problems import Refusal


class Upload:
    """A request whose body comes in these chunks, and then stays open where `hangs`."""

    def __init__(self, *chunks: bytes, hangs: bool = False, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._chunks, self._hangs = chunks, hangs
        self.taken = 0

    async def stream(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.taken += 1
            yield chunk
        if self._hangs:
            await asyncio.Event().wait()


def read(bodies: Bodies, upload: Upload) -> bytes:
    return asyncio.run(bodies.read(upload))


def test_a_body_of_the_largest_size_is_read_whole() -> None:
    assert read(Bodies(max_bytes=4), Upload(b"ab", b"", b"cd", content_length="4")) == b"abcd"


def test_a_body_is_refused_before_it_is_read_where_it_says_its_size() -> None:
    upload = Upload(b"abcde", content_length="5")

    with pytest.raises(Refusal) as refusal:
        read(Bodies(max_bytes=4), upload)

    assert (refusal.value.status_code, upload.taken) == (413, 0)


def test_no_more_is_read_once_a_body_is_too_large() -> None:
    upload = Upload(b"abc", b"de", b"f" * 100)

    with pytest.raises(Refusal) as refusal:
        read(Bodies(max_bytes=4), upload)

    assert (refusal.value.status_code, upload.taken) == (413, 2)


def test_a_body_that_does_not_end_in_time_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        read(Bodies(max_bytes=4, timeout_s=0), Upload(b"a", hangs=True))

    assert refusal.value.status_code == 408


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        read(Bodies(max_bytes=4), Upload(b"a", content_encoding="gzip"))

    assert refusal.value.status_code == 415


def test_only_so_many_bodies_are_held_and_one_let_go_makes_room() -> None:
    bodies = Bodies(max_bytes=4, max_held=2)

    with bodies.held():
        with bodies.held(), pytest.raises(Refusal) as refusal, bodies.held():
            pytest.fail("a third body was held")
        with bodies.held():
            pass

    assert refusal.value.status_code == 429
    assert (refusal.value.headers or {})["Retry-After"]
