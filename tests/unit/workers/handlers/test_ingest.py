"""Posts that come as a message: the good ones are committed, the others logged and left out."""

import pytest

from linkner.errors import InputError
from tests.fakes.store import FakeStore
from workers.handlers.ingest import IngestPosts
from workers.handlers.posts import PostLimits

GOOD = {"source": "test", "external_id": "1", "text": "Ada in Oslo"}


def test_good_posts_are_accepted_and_others_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeStore()
    handle = IngestPosts(store=store, limits=PostLimits())
    assert handle([GOOD, {**GOOD, "external_id": "2", "text": "a\0b"}, "no post", {**GOOD, "id": "3"}]) == 1
    assert store.unfinished() == 1
    assert caplog.text.count("action=refused") == 2
    assert "NUL" in caplog.text


def test_a_repeated_message_accepts_nothing_twice() -> None:
    store = FakeStore()
    handle = IngestPosts(store=store, limits=PostLimits())
    assert [handle([GOOD]), handle([GOOD])] == [1, 0]
    assert store.unfinished() == 1


def test_a_message_with_too_many_posts_is_refused_whole() -> None:
    store = FakeStore()
    with pytest.raises(InputError, match="at most 2"):
        IngestPosts(store=store, limits=PostLimits(max_items=2))([GOOD] * 3)
    assert store.unfinished() == 0
