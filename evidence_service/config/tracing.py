"""Whether traces are exported, by the standard variables of OpenTelemetry; they have no names of our own.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from typing import Literal, get_args

from evidence_service.errors import ConfigurationError

Exporter = Literal["none", "otlp", "console"]
EXPORTERS: tuple[Exporter, ...] = get_args(Exporter)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def trace_exporter() -> Exporter:
    """Where spans go: nowhere unless an exporter or an endpoint is named.

    Raises:
        ConfigurationError: an exporter or a protocol is named that there is not.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "none"
    default = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    # An empty value counts as none at all (section "Parsing empty value").
    named = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or default
    exporter = next((known for known in EXPORTERS if known == named), None)
    if exporter is None:
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER names {named!r}, which there is not",
            what_to_do=f"set it to one of {', '.join(EXPORTERS)}",
        )
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf")
    if exporter == "otlp" and protocol != "http/protobuf":
        raise ConfigurationError(
            f"traces are exported over http/protobuf only, not over {protocol}",
            what_to_do="unset OTEL_EXPORTER_OTLP_PROTOCOL, and name the collector's HTTP port (4318)",
        )
    return exporter
