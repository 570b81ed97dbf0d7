"""What the database refuses is reported without the values: they may be posts."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError


def test_an_error_shows_no_parameter(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT 1 / 0 WHERE :post <> ''"), {"post": "a private post"})
    assert "a private post" not in str(caught.value)
