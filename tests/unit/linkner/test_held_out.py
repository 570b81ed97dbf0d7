"""Texts of a test set, known again in raw posts."""

from __future__ import annotations

import pytest

from linkner.held_out import HeldOut

HELD_OUT = HeldOut([["Anna", "Berg", "sings", "in", "Oslo", "tonight", "!"], ["Good", "morning"], ["…"]])


@pytest.mark.parametrize(
    "post",
    [
        "Anna Berg sings in Oslo tonight!",
        "RT @paper: anna berg sings in #Oslo tonight !! https://t.co/x",
        "AnnaBerg sings in Oslo, tonight",
        "good morning",
    ],
)
def test_a_text_is_known_whatever_stands_around_it(post: str) -> None:
    assert HELD_OUT.is_in(post.split())


@pytest.mark.parametrize(
    "post", ["Anna Berg sings in Oslo", "good morning, Anna", "… …", "", "a tonight post about Oslo"]
)
def test_other_posts_are_not(post: str) -> None:
    assert not HELD_OUT.is_in(post.split())
