"""Submissions are cut into requests by lines and by bytes."""

from workers import api_client


def sizes(lines: list[bytes]) -> list[int]:
    return [len(batch) for batch in api_client._batches(lines)]


def test_no_request_has_more_lines_than_allowed() -> None:
    assert sizes([b"{}"] * (2 * api_client.BATCH + 1)) == [api_client.BATCH, api_client.BATCH, 1]


def test_long_lines_make_shorter_requests() -> None:
    line = b"x" * (api_client.BATCH_BYTES // 4)
    assert sizes([line] * 9) == [4, 4, 1]


def test_nothing_to_submit_makes_no_request() -> None:
    assert sizes([]) == []
