"""The part of the Compose file format that the project uses, as a JSON schema; anything else is a mistake."""

from __future__ import annotations

from typing import Any

DURATION = {"type": "string", "pattern": r"^(\d+(h|m|s|ms))+$"}
SIZE = {"type": "string", "pattern": r"^\d+(b|kb|mb|gb)$"}
STRINGS = {"type": "array", "items": {"type": "string"}}


def closed(**properties: Any) -> dict[str, Any]:
    """An object with these optional properties and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


HEALTHCHECK = closed(
    test={
        "type": "array",
        "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
        "items": {"type": "string"},
        "minItems": 2,
    },
    interval=DURATION,
    timeout=DURATION,
    start_period=DURATION,
    retries={"type": "integer", "minimum": 1},
)
DEPENDS_ON = {
    "type": "object",
    "additionalProperties": closed(
        condition={"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
    )
    | {"required": ["condition"]},
}
SERVICE = closed(
    image={"type": "string"},
    build=closed(context={"type": "string"}, dockerfile={"type": "string"}),
    command=STRINGS,
    environment={"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    ports={"type": "array", "items": {"type": "string", "pattern": r"^[^:]*(:-[^:}]*\})?:\d+$"}},
    volumes={"type": "array", "items": {"type": "string", "pattern": r"^[a-z]+:/[a-z/]+$"}},
    tmpfs=STRINGS,
    depends_on=DEPENDS_ON,
    healthcheck=HEALTHCHECK | {"required": ["test"]},
    restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
    stop_grace_period=DURATION,
    shm_size=SIZE,
    init={"type": "boolean"},
    read_only={"type": "boolean"},
    cap_drop=STRINGS,
    security_opt=STRINGS,
    logging=closed(driver={"type": "string"}) | {"required": ["driver"]},
) | {"required": ["image"]}

COMPOSE = closed(
    name={"type": "string", "pattern": "^[a-z]+$"},
    services={"type": "object", "minProperties": 1, "additionalProperties": SERVICE},
    volumes={"type": "object", "additionalProperties": {"type": "null"}},
) | {"required": ["services"], "patternProperties": {"^x-": True}}
