"""JSON lines on stdout: one format for the application, its libraries and the server."""

from __future__ import annotations

import json
import logging.config

import orjson
import structlog

HIDDEN = frozenset({"password", "access_token", "refresh_token", "authorization", "token", "secret"})


def _hide_secrets(_logger, _method, event: dict) -> dict:
    """Last defence: a key that names a secret never carries its value."""
    return {key: "[hidden]" if key.lower() in HIDDEN else value for key, value in event.items()}


_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _hide_secrets,
]


def _json(event: dict, **options) -> str:
    try:
        return orjson.dumps(event, options["default"]).decode()
    except TypeError:
        return json.dumps(event, **options)


def _formatter() -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )


def dict_config(level: str) -> dict:
    """Configuration for `logging.config.dictConfig`; `level` is debug, info, warning or error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "backend.logs._formatter"}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level.upper()},
        "loggers": {
            "_granian": {"level": level.upper(), "handlers": [], "propagate": True},
            "granian.access": {"handlers": [], "propagate": True},
            "pydal": {"level": "WARNING"},
            "huey": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
        },
    }


def configure_logging(level: str) -> None:
    """Route structlog and the standard library through one JSON handler."""
    logging.config.dictConfig(dict_config(level))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
