"""Where `linkner up` keeps its data, and how the other commands find the stack that it started."""

from __future__ import annotations

import json
import os
from pathlib import Path

from linkner.errors import ConfigurationError

_FILE = "stack.json"


def state_folder() -> Path:
    """`$XDG_STATE_HOME/linkner`, or `~/.local/state/linkner`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "linkner"


def announce(folder: Path, *, gateway_url: str) -> None:
    """Write down where the stack of this folder answers."""
    (folder / _FILE).write_text(json.dumps({"gateway_url": gateway_url}))


def withdraw(folder: Path) -> None:
    """Forget what `announce` wrote."""
    (folder / _FILE).unlink(missing_ok=True)


def gateway_url(given: str) -> str:
    """The gateway to talk to: the one given, LINKNER_GATEWAY_URL, or that of the running `linkner up`.

    Raises:
        ConfigurationError: there is none of the three.
    """
    url = given or os.environ.get("LINKNER_GATEWAY_URL", "")
    if url:
        return url
    try:
        announced = json.loads((state_folder() / _FILE).read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            "no gateway is known",
            expected="--url, LINKNER_GATEWAY_URL, or a stack started by `linkner up`",
            hint="run `linkner up` in another terminal",
        ) from None
    return str(announced["gateway_url"])
