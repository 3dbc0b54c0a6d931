"""Users as CSV: export all, import many. Passwords are never part of it."""

from __future__ import annotations

import csv
import io
import secrets

from marshmallow import fields, validate

from backend.database.session import fetch
from backend.fields import StrictSchema, no_control_characters_in_lines
from backend.jobs.registry import JobContext, JobFailed, Kind, register
from backend.permissions import ADMINS
from backend.problems import Problem
from backend.users import service
from backend.users.schemas import UserCreateSchema

_PAGE = 500
_EXPORTED = ("id", "email", "full_name", "role", "tenant", "is_active", "created_at")
_NEEDED = ("email", "full_name", "role")
_OPTIONAL = ("tenant",)
# A spreadsheet would run a cell that begins so as a formula.
_FORMULA = ("=", "+", "-", "@")


class ImportSchema(StrictSchema):
    csv = fields.String(
        required=True,
        validate=[validate.Length(min=1, max=900_000), no_control_characters_in_lines],
        metadata={
            "description": "Header `email,full_name,role` or `email,full_name,role,tenant`, then a line for each user"
        },
    )


def export_users(context: JobContext) -> dict:
    """Write every user, ordered by id."""
    database, last, done = context.services.database, 0, 0
    total = database.read(lambda db: fetch(db, "SELECT COUNT(*) AS total FROM users"))[0]["total"]
    context.write(_line(_EXPORTED))
    sql = f"SELECT {', '.join(_EXPORTED)} FROM users WHERE id > %s ORDER BY id LIMIT {_PAGE}"
    while rows := database.read(lambda db, after=last: fetch(db, sql, after)):
        for row in rows:
            context.write(_line(str(row[name]) for name in _EXPORTED))
        last, done = rows[-1]["id"], done + len(rows)
        context.progress(done, max(total, done))
    return {"users": done}


def import_users(context: JobContext) -> dict:
    """Create a user for each line, without a usable password; the output tells what became of each line."""
    reader = csv.DictReader(io.StringIO("".join(context.input())))
    if tuple(reader.fieldnames or ()) not in (_NEEDED, _NEEDED + _OPTIONAL):
        raise JobFailed(f"the first line must be {','.join(_NEEDED)}, and may end with ,{','.join(_OPTIONAL)}")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise JobFailed(f"line {reader.line_num}: {error}") from None
    context.write(_line(("line", "email", "outcome")))
    created = 0
    for number, row in enumerate(rows, 2):
        outcome = _import_row(context, row)
        created += outcome == "created"
        context.write(_line((str(number), row.get("email") or "", outcome)))
        context.progress(number - 1, len(rows))
    return {"created": created, "refused": len(rows) - created}


def _import_row(context: JobContext, row: dict) -> str:
    own = context.services
    body = {name: (row.get(name) or "").removeprefix("'") for name in _NEEDED}
    body |= {name: row[name] for name in _OPTIONAL if row.get(name)}
    body["password"] = secrets.token_urlsafe(32)
    problems = UserCreateSchema().validate(body)
    if problems or None in row:
        field, messages = next(iter(problems.items()), ("line", ["Too many values."]))
        return f"{field}: {messages[0]}"
    try:
        service.insert_user(own.database, own.hasher, **body, is_active=True)
    except Problem as problem:
        return problem.description
    return "created"


def _line(values) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(
        [f"'{value}" if value.startswith(_FORMULA) else value for value in values]
    )
    return buffer.getvalue()


register(Kind("users.export", export_users, ADMINS, media_type="text/csv", file_name="users.csv"))
register(
    Kind(
        "users.import",
        import_users,
        ADMINS,
        ImportSchema,
        content="csv",
        media_type="text/csv",
        file_name="users-import.csv",
    )
)
