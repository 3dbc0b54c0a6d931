"""Endpoints of the audit log; admins only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator

from backend.audit import queries
from backend.audit.schemas import AuditEventSchema, AuditFilterSchema, AuditListSchema, AuditQuerySchema
from backend.context import services
from backend.fields import Blueprint
from backend.slots import download

blueprint = Blueprint("audit", __name__, url_prefix="/api/v1/audit", description="Audit log")
JSON_LINES = "application/x-ndjson"
_TOTAL = {"X-Total-Count": {"schema": {"type": "integer"}, "description": "Lines to expect at least"}}


@blueprint.get("")
@blueprint.arguments(AuditQuerySchema, location="query")
@blueprint.response(200, AuditListSchema)
def list_events(query):
    """List events, newest first"""
    limit, cursor = query.pop("limit"), query.pop("cursor")
    return queries.list_events(services().shards, query, limit, cursor)


@blueprint.get("/export")
@blueprint.arguments(AuditFilterSchema, location="query")
@blueprint.response(
    200, {"type": "string"}, content_type=JSON_LINES, description="One event per line, oldest first", headers=_TOTAL
)
def export_events(query):
    """Export events as JSON Lines"""
    # An export that breaks off looks complete to many clients: the count tells.
    total = queries.count_events(services().shards, query)
    batches = queries.export_events(services().shards, query)
    # The first batch is read here: a database that is away is still a 503.
    first = next(batches, [])
    lines = _lines(itertools.chain([first], batches))
    return download(services().downloads, lines, JSON_LINES, "audit.jsonl", {"X-Total-Count": str(total)})


def _lines(batches: Iterable[list[dict]]) -> Iterator[str]:
    schema = AuditEventSchema(many=True)
    for batch in batches:
        yield "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in schema.dump(batch))
