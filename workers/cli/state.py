"""Where `linkner up` keeps its data, and how the other commands find the stack that it started."""

from __future__ import annotations

import json
import os
from pathlib import Path

from broker.settings import load_settings
from linkner.errors import ConfigurationError

_FILE = "stack.json"
_WHICH = "where it was started with --folder, LINKNER_FOLDER must name that folder"


def state_folder() -> Path:
    """LINKNER_FOLDER, else `$XDG_STATE_HOME/linkner`, or `~/.local/state/linkner`."""
    if chosen := os.environ.get("LINKNER_FOLDER"):
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "linkner"


def announce(folder: Path, **urls: str) -> None:
    """Write down where the stack of this folder answers: `gateway_url`, `postgres_url` and the like."""
    file = folder / _FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(urls))


def withdraw(folder: Path) -> None:
    """Forget what `announce` wrote."""
    (folder / _FILE).unlink(missing_ok=True)


def gateway_url(given: str) -> str:
    """The gateway to talk to: the one given, LINKNER_GATEWAY_URL, or that of the running `linkner up`.

    Raises:
        ConfigurationError: there is none of the three.
    """
    url = given or os.environ.get("LINKNER_GATEWAY_URL", "") or _announced("gateway_url")
    if not url:
        raise ConfigurationError(
            "no gateway is known",
            expected="--url, LINKNER_GATEWAY_URL, or a stack started by `linkner up`",
            hint=f"run `linkner up` in another terminal; {_WHICH}",
        )
    return url


def postgres_url() -> str:
    """The database to work on: LINKNER_POSTGRES_URL, or that of the running `linkner up`.

    Raises:
        ConfigurationError: there is neither.
    """
    url = load_settings().postgres_url or _announced("postgres_url")
    if not url:
        raise ConfigurationError(
            "no database is known",
            expected="LINKNER_POSTGRES_URL, or a stack started by `linkner up`",
            hint=_WHICH,
        )
    return url


def broker_url() -> str:
    """The broker to send to: the environment's, else that of the running `linkner up`, else empty."""
    return load_settings().broker or _announced("broker_url")


def redis_url() -> str:
    """The limiter's Redis of the running `linkner up`, else empty."""
    return _announced("redis_url")


def _announced(name: str) -> str:
    try:
        return str(json.loads((state_folder() / _FILE).read_text())[name])
    except (FileNotFoundError, KeyError):
        return ""
