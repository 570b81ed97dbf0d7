"""Hostile HTTP requests, as bytes, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote_from_bytes

_FIELDS = (
    "source",
    "external_id",
    "id",
    "text",
    "created_at",
    "metadata",
    "author",
    "lane",
    "deadline_s",
    "x",
)
_ODD_JSON = (
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"1" * 5_000,
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff\xfe"',
    b'"' + b"a" * 30_000 + b'"',
    b"[]",
    b"{}",
    b'{"a":{"b":[1,2,{"c":null}]}}',
    b"[" * 2_000,
    b'"2026-02-30T25:61:00Z"',
    b'"9999999-01-01T00:00:00Z"',
    b'"\\\\"',
    b'"\'; DROP TABLE documents; --"',
    b'"%s%n{0}${7*7}"',
    '"\u202e\u0301\U0001f4a9"'.encode(),
    b"9223372036854775808",
    b"-1",
    b"0.1",
)
_PATHS = (
    b"/v1/documents",
    b"/v1/documents/%s",
    b"/v1/feed?after=%s&limit=%s",
    b"/v1/documents?source=%s&external_id=%s",
    b"/healthz?%s",
    b"/readyz/%s",
    b"/metrics%s",
    b"/v1/status?%s",
    b"/%s",
    b"/v1/%s/../documents",
)
_TYPES = (
    b"application/json",
    b"application/x-ndjson",
    b"application/jsonl",
    b"application/json; charset=utf-16",
    b"text/plain",
    b"",
    b"multipart/form-data; boundary=x",
    b"application/json\x01",
)
_METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"HEAD",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"G\x00T",
    b"get",
)
_SUBMIT = b"POST /v1/documents HTTP/1.1\r\nhost: 127.0.0.1\r\n"
_BROKEN = (
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/1.1\r\n" * 50,
    _SUBMIT + b"content-length: -1\r\n\r\n",
    _SUBMIT + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    _SUBMIT + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    _SUBMIT + b"transfer-encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    _SUBMIT + b"content-length: 99999999999\r\n\r\n[]",
    b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2_000 + b"\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\n\r\n",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire, and whether the client hangs up after it without waiting for more."""

    data: bytes
    breaks_off: bool


def request(random: Random) -> Request:
    """One request; many are posts that nearly are what they should be."""
    make = random.choice(_KINDS)
    return Request(make(random), breaks_off=make in (_broken, _cut))


def _posts(random: Random) -> bytes:
    count = random.choice((0, 1, 1, 2, 5, 30))
    posts = [_post(random) for _ in range(count)]
    as_lines = random.random() < 0.3
    body = b"\n".join(posts) if as_lines else b"[" + b",".join(posts) + b"]"
    return _http(b"POST", b"/v1/documents", _TYPES[1] if as_lines else _TYPES[0], body)


def _post(random: Random) -> bytes:
    """A post as it should be, with a few fields that are not."""
    fields = {
        "source": b'"bench"',
        "external_id": b'"%d"' % random.randrange(2_000),
        "text": b'"Anna sings in Oslo"',
    }
    for name in random.sample(_FIELDS, random.choice((0, 0, 1, 3))):
        fields[name] = random.choice(_ODD_JSON)
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items()) + b"}"


def _body(random: Random) -> bytes:
    body = random.choice((random.randbytes(random.randrange(2_000)), random.choice(_ODD_JSON)))
    return _http(b"POST", b"/v1/documents", random.choice(_TYPES), body)


def _query(random: Random) -> bytes:
    path = random.choice(_PATHS)
    odd = (random.randbytes(random.randrange(12)), random.choice(_ODD_JSON)[:60])
    for _ in range(path.count(b"%s")):
        path = path.replace(b"%s", quote_from_bytes(random.choice(odd)).encode(), 1)
    return _http(random.choice(_METHODS), path, random.choice(_TYPES), b"")


def _broken(random: Random) -> bytes:
    return random.choice((random.choice(_BROKEN), random.randbytes(random.randrange(1, 300))))


def _cut(random: Random) -> bytes:
    whole = _posts(random)
    return whole[: random.randrange(1, len(whole))]


def _http(method: bytes, path: bytes, content_type: bytes, body: bytes) -> bytes:
    head = b"%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n" % (method, path)
    return head + b"content-type: %s\r\ncontent-length: %d\r\n\r\n" % (content_type, len(body)) + body


_KINDS: tuple[Callable[[Random], bytes], ...] = (_posts, _posts, _posts, _body, _query, _broken, _cut)
