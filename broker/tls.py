"""TLS to the message broker by its URL alone: rediss://… or amqps://…, always verified.

Celery's transports verify less than one would think: kombu takes any certificate for rediss:// unless told
otherwise, and any certificate of a known authority, whatever its host, for amqps://.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from linkner.errors import ConfigurationError

CA_OF_RABBITMQ = "cacertfile"  # the name in RabbitMQ's own URIs


def verified(url: str) -> tuple[str, dict[str, Any] | None]:
    """The URL for Celery, and its `broker_use_ssl` (None without TLS).

    `ssl_ca_certs` of a rediss URL, and `cacertfile` of an amqps one, name a file of certificates to trust in
    place of the system's.

    Raises:
        ConfigurationError: an amqps URL has another option. No message shows the URL and its password.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        query = urlencode({"ssl_cert_reqs": "required", **options}, safe="/")
        return urlunsplit(parts._replace(query=query)), None
    if parts.scheme != "amqps":
        return url, None
    unknown = options.keys() - {CA_OF_RABBITMQ}
    if unknown:
        raise ConfigurationError(
            "the broker's URL has an option that is not known",
            expected=f"amqps://user:password@host:port/vhost, ?{CA_OF_RABBITMQ}=FILE or nothing after it",
            got=", ".join(sorted(unknown)),
        )
    tls = {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": options.get(CA_OF_RABBITMQ),
        "server_hostname": parts.hostname,
    }
    return urlunsplit(parts._replace(query="")), tls
