"""The LLM endpoints that may be asked, as an operator names them: one by settings, or several by a file.

The file is `{"order": "first", "endpoints": [{"base_url": "http://10.0.0.7:8000/v1", "model": "llama-3"}]}`.
With the order `first` the first one that may be asked is asked; with `weighted` each has its share of the
questions. Keys stay in the environment: `api_key_env` names the variable that holds one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.limits import MAX_LIMIT, Limits
from broker.settings import Settings
from linkner.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model of one endpoint. `weight` is its share of the questions where the order is `weighted`.

    `deadline_s` is the hard deadline of one call. `api_key_env` is the variable with its key, empty for none.
    `structured_outputs` is False where it is known to refuse them; else that is found out by asking.
    """

    base_url: str = field(repr=False)
    model: str
    deadline_s: float
    limits: Limits
    api_key_env: str = "OPENAI_API_KEY"
    weight: float = 1.0
    structured_outputs: bool = True

    @property
    def name(self) -> str:
        """What its limits are kept under: model and URL, without what may be a password in it."""
        return f"{self.model}@{self.url.partition('://')[2].rstrip('/')}"

    @property
    def url(self) -> str:
        """The base URL as it may be shown: without what may be a password in it."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """All endpoints, at least one, and how one of them is chosen for a question."""

    order: Literal["first", "weighted"]
    all: tuple[Endpoint, ...]

    @property
    def longest_deadline_s(self) -> float:
        """What a question's lease must outlast, whichever is asked."""
        return max(one.deadline_s for one in self.all)

    def find(self, *, base_url: str = "", model: str = "") -> Endpoint:
        """The one with this URL and this model, each only where it is given.

        Raises:
            ConfigurationError: none is, or several are.
        """
        found = [
            one for one in self.all if base_url in ("", one.base_url, one.url) and model in ("", one.model)
        ]
        if len(found) != 1:
            raise ConfigurationError(
                "no LLM endpoint is named" if not found else "more than one LLM endpoint is named",
                expected="one of " + ", ".join(f"{one.model} at {one.url}" for one in self.all),
                got=f"{model or 'any model'} at {base_url or 'any URL'}",
            )
        return found[0]


class _Line(BaseModel):
    """One endpoint of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(min_length=1)
    model: str = Field(min_length=1)
    api_key_env: str = ""
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    deadline_s: float = Field(30.0, gt=0, allow_inf_nan=False)
    structured_outputs: Literal["auto", "never"] = "auto"
    requests_per_minute: int = Field(0, ge=0, le=MAX_LIMIT)
    tokens_per_minute: int = Field(0, ge=0, le=MAX_LIMIT)
    in_flight: int = Field(0, ge=0, le=MAX_LIMIT)
    money_per_hour: Decimal = Field(Decimal(0), ge=0, le=MAX_LIMIT)
    money_per_day: Decimal = Field(Decimal(0), ge=0, le=MAX_LIMIT)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Literal["first", "weighted"] = "first"
    endpoints: list[_Line] = Field(min_length=1, max_length=100)


def chosen_endpoints(settings: Settings) -> Endpoints:
    """The endpoints of the file LINKNER_LLM_ENDPOINTS, else the one of the other settings.

    Raises:
        ConfigurationError: neither names one, or the file cannot be used; no key is shown.
    """
    if settings.llm_endpoints:
        return read_endpoints(settings.llm_endpoints)
    settings.require("llm_base_url")
    only = Endpoint(
        base_url=settings.llm_base_url,
        model=settings.llm_model,
        deadline_s=settings.llm_deadline_s,
        limits=Limits(
            requests_per_minute=settings.llm_requests_per_minute,
            tokens_per_minute=settings.llm_tokens_per_minute,
            in_flight=settings.llm_in_flight,
            money_per_hour=Decimal(str(settings.llm_money_per_hour)),
            money_per_day=Decimal(str(settings.llm_money_per_day)),
        ),
    )
    return Endpoints(order="first", all=(only,))


def read_endpoints(path: str | Path) -> Endpoints:
    """The endpoints of a file.

    Raises:
        ConfigurationError: the file cannot be read, says something else, or names an endpoint twice.
    """
    try:
        value = _File.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the LLM endpoints from {path}", got=str(error)) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(
            f"{path} does not hold LLM endpoints: {where}", expected=first["msg"]
        ) from None
    found = tuple(_endpoint(line) for line in value.endpoints)
    if len({one.name for one in found}) < len(found):
        raise ConfigurationError(f"{path} names a model twice at one endpoint", expected="each once")
    return Endpoints(order=value.order, all=found)


def api_key(endpoint: Endpoint, settings: Settings, *, environ: Mapping[str, str] = os.environ) -> str:
    """The endpoint's key, empty where it has none. Only who calls it needs to have the key.

    Raises:
        ConfigurationError: the variable that the file names is not set.
    """
    if not settings.llm_endpoints:
        return settings.openai_api_key.get_secret_value()
    if endpoint.api_key_env and not environ.get(endpoint.api_key_env):
        raise ConfigurationError(
            f"the environment variable {endpoint.api_key_env} is not set",
            expected=f"the key of {endpoint.model} at {endpoint.url}, as {settings.llm_endpoints} says",
        )
    return environ.get(endpoint.api_key_env, "")


def _endpoint(line: _Line) -> Endpoint:
    return Endpoint(
        base_url=line.base_url,
        model=line.model,
        api_key_env=line.api_key_env,
        deadline_s=line.deadline_s,
        weight=line.weight,
        structured_outputs=line.structured_outputs == "auto",
        limits=Limits(
            requests_per_minute=line.requests_per_minute,
            tokens_per_minute=line.tokens_per_minute,
            in_flight=line.in_flight,
            money_per_hour=line.money_per_hour,
            money_per_day=line.money_per_day,
        ),
    )
