"""Endpoints as an operator names them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.endpoints import Endpoint, api_key, chosen_endpoints, read_endpoints
from broker.limits import Limits
from broker.settings import Settings
from linkner.errors import ConfigurationError

OWN = {"base_url": "http://10.0.0.7:8000/v1", "model": "llama-3"}
HOSTED = {
    "base_url": "https://api.example.com/v1",
    "model": "large",
    "api_key_env": "HOSTED_KEY",
    "weight": 3,
    "deadline_s": 60,
    "structured_outputs": "never",
    "requests_per_minute": 500,
    "money_per_day": 2.5,
}


def write(folder: Path, *lines: dict[str, Any], **more: Any) -> Path:
    path = folder / "endpoints.json"
    path.write_text(json.dumps({"endpoints": lines, **more}))
    return path


def test_a_file_names_endpoints_with_limits_and_deadlines_of_their_own(tmp_path: Path) -> None:
    found = read_endpoints(write(tmp_path, OWN, HOSTED, order="weighted"))
    own, hosted = found.all
    assert (found.order, found.longest_deadline_s) == ("weighted", 60.0)
    assert (own.limits, own.weight, own.structured_outputs) == (Limits(), 1.0, True)
    assert hosted.limits == Limits(requests_per_minute=500, money_per_day=Decimal("2.5"))
    assert (hosted.weight, hosted.structured_outputs) == (3.0, False)
    assert own.name == "llama-3@10.0.0.7:8000/v1"


def test_without_a_file_the_settings_are_the_one_endpoint() -> None:
    settings = Settings(llm_base_url="http://a/v1", llm_tokens_per_minute=9, llm_money_per_hour=0.1)
    (only,) = chosen_endpoints(settings).all
    assert (only.base_url, only.model, only.deadline_s) == ("http://a/v1", "gpt-4o-mini", 30.0)
    assert only.limits == Limits(requests_per_minute=600, tokens_per_minute=9, money_per_hour=Decimal("0.1"))
    with pytest.raises(ConfigurationError, match="LINKNER_LLM_BASE_URL is not set"):
        chosen_endpoints(Settings())


@pytest.mark.parametrize(
    ("lines", "more", "problem"),
    [
        ((), {}, "endpoints"),
        (({"base_url": "http://a/v1"},), {}, "endpoints.0.model"),
        (({**OWN, "rpm": 5},), {}, "endpoints.0.rpm"),
        (({**OWN, "weight": 0},), {}, "endpoints.0.weight"),
        (({**OWN, "requests_per_minute": -1},), {}, "endpoints.0.requests_per_minute"),
        (({**OWN, "api_key": "sk-secret"},), {}, "endpoints.0.api_key"),
        ((OWN,), {"order": "random"}, "order"),
        ((OWN, OWN), {}, "twice"),
    ],
)
def test_a_file_that_says_something_else_is_refused_by_field_and_shows_no_value(
    tmp_path: Path, lines: tuple[dict[str, Any], ...], more: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        read_endpoints(write(tmp_path, *lines, **more))
    assert "sk-secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_endpoints(tmp_path / "missing.json")


def test_keys_come_from_the_environment_of_who_calls(tmp_path: Path) -> None:
    settings = Settings(llm_endpoints=str(write(tmp_path, OWN, HOSTED)))
    own, hosted = chosen_endpoints(settings).all
    assert api_key(own, settings, environ={}) == ""
    assert api_key(hosted, settings, environ={"HOSTED_KEY": "sk-1"}) == "sk-1"
    with pytest.raises(ConfigurationError, match="HOSTED_KEY is not set"):
        api_key(hosted, settings, environ={})


def test_a_password_in_a_url_is_no_part_of_the_name() -> None:
    endpoint = Endpoint(base_url="http://u:secret@a:1/v1/", model="m", deadline_s=1.0, limits=Limits())
    assert endpoint.name == "m@a:1/v1"
    assert endpoint.url == "http://a:1/v1/"
    assert "secret" not in repr(endpoint)


def test_one_of_several_is_found_by_url_and_model(tmp_path: Path) -> None:
    found = read_endpoints(write(tmp_path, OWN, HOSTED, {**HOSTED, "model": "small"}))
    assert found.find(base_url=OWN["base_url"]).model == "llama-3"
    assert found.find(model="small").base_url == HOSTED["base_url"]
    for wrong in ({}, {"model": "other"}, {"base_url": HOSTED["base_url"]}):
        with pytest.raises(ConfigurationError, match=r"llama-3 at http://10\.0\.0\.7"):
            found.find(**wrong)
