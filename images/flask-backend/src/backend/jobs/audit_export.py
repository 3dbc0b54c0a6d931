"""The audit log as a file, for logs too long for one request."""

from __future__ import annotations

import json
from datetime import UTC

from backend.audit.queries import export_events
from backend.audit.schemas import AuditEventSchema, AuditFilterSchema
from backend.database.session import fetch
from backend.jobs.registry import JobContext, Kind, register
from backend.permissions import PERMISSIONS


def export_audit(context: JobContext) -> dict:
    """Write every event that the filters select, oldest first, one JSON object a line."""
    database, schema, done = context.services.database, AuditEventSchema(), 0
    total = database.read(lambda db: fetch(db, "SELECT COUNT(*) AS total FROM audit_events"))[0]["total"]
    filters = AuditFilterSchema().load(context.job["arguments"])
    for events in export_events(database, filters):
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
