"""Posts that come as a message: the good ones are committed, the others logged and left out."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

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
    assert "action=refused index=1 external_id='2' error=text has a NUL" in caplog.text
    assert "action=refused index=2 external_id=none error=a post must be" in caplog.text


@pytest.mark.parametrize("value", [datetime.now(UTC), Decimal("1.5"), uuid4(), b"x"])
def test_a_value_that_celery_made_an_object_of_is_the_error_of_its_post(value: object) -> None:
    store = FakeStore()
    handle = IngestPosts(store=store, limits=PostLimits())
    assert handle([{**GOOD, "external_id": "2", "metadata": {"at": [value]}}, GOOD]) == 1
    assert handle([{**GOOD, "external_id": "3", "created_at": value}]) == 0


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
