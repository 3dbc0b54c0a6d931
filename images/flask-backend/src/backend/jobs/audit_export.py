"""The audit log as a file, for logs too long for one request."""

from __future__ import annotations

import json
from datetime import UTC

from backend.audit.queries import count_events, export_events
from backend.audit.schemas import AuditEventSchema, AuditFilterSchema
from backend.jobs.registry import JobContext, Kind, register
from backend.permissions import PERMISSIONS


def export_audit(context: JobContext) -> dict:
    """Write every event that the filters select, oldest first, one JSON object a line."""
    shards, schema, done = context.services.shards, AuditEventSchema(), 0
    filters = AuditFilterSchema().load(context.job["arguments"])
    total = count_events(shards, filters)
    for events in export_events(shards, filters):
        for event in events:
            context.write(json.dumps(schema.dump(event), ensure_ascii=False) + "\n")
        done += len(events)
        context.progress(done, max(total, done))
    return {"events": done, "exported_at": context.job["created_at"].replace(tzinfo=UTC).isoformat()}


register(
    Kind(
        "audit.export",
        export_audit,
        PERMISSIONS["audit.export_events"],
        AuditFilterSchema,
        media_type="application/x-ndjson",
        file_name="audit.jsonl",
    )
)
