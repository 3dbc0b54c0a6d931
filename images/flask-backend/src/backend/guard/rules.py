"""Rules of the guard in the database, the one source of them; every change makes a new revision."""

from __future__ import annotations

import uuid
from datetime import timedelta

from backend.audit.service import record
from backend.database.session import Database, fetch, for_update, now
from backend.problems import Problem

MAX_RULES = 100_000
LIMITS = ("packets_per_second", "packets_burst", "syns_per_second", "syns_burst")
_LIMIT_COLUMNS = ", ".join(LIMITS)
_COLUMNS = f"id, prefix, protocol, ports, action, {_LIMIT_COLUMNS}, expires_at, owner, comment, count_only, created_at, updated_at"
_LIVE = "(expires_at IS NULL OR expires_at > %s)"


def list_rules(database: Database, page: int, per_page: int, action: str, owner: str, search: str) -> dict:
    """One page of live rules by prefix: `{rules, pagination, revision}`."""
    conditions, values = [_LIVE], [_clock()]
    for name, value in (("action", action), ("owner", owner)):
        if value:
            conditions.append(f"{name} = %s")
            values.append(value)
    if search:
        pattern = "%" + search.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
        conditions.append("(prefix LIKE %s ESCAPE '!' OR LOWER(comment) LIKE %s ESCAPE '!')")
        values += [pattern, pattern]
    where = " AND ".join(conditions)

    def work(db) -> tuple[int, int, list[dict]]:
        total = fetch(db, f"SELECT COUNT(*) AS total FROM guard_rules WHERE {where}", *values)[0]["total"]
        sql = f"SELECT {_COLUMNS} FROM guard_rules WHERE {where} ORDER BY prefix, id LIMIT %s OFFSET %s"
        return revision(db), total, fetch(db, sql, *values, per_page, (page - 1) * per_page)

    number, total, rows = database.read(work)
    pagination = {"page": page, "per_page": per_page, "total": total, "pages": -(-total // per_page)}
    return {"rules": [_decoded(row) for row in rows], "pagination": pagination, "revision": number}


def get_rule(database: Database, rule_id: str) -> dict:
    """A live rule. Raises a 404 `Problem`."""
    return database.read(lambda db: _get(db, rule_id))


def create_rule(database: Database, body: dict, owner: str) -> dict:
    """Store a rule.

    Args:
        body: what `RuleCreateSchema` loads.
        owner: when the body names none.

    Raises:
        Problem: 409 for a rule that another one contradicts or equals, or when there are too many.
    """
    rule_id = uuid.uuid4().hex
    columns = _columns({"owner": owner[:64], **body})

    def work(db) -> dict:
        _next_revision(db)
        if fetch(db, "SELECT COUNT(*) AS total FROM guard_rules")[0]["total"] >= MAX_RULES:
            raise Problem(409, f"There are {MAX_RULES} rules already; delete some first.", "too-many-rules")
        _check_unique(db, rule_id, columns)
        db.guard_rules.insert(id=rule_id, **columns, created_at=now(), updated_at=now())
        record(db, "guard.create_rule", "guard_rule", rule_id, _told(columns))
        return _get(db, rule_id, live=False)

    return database.write(work)


def update_rule(database: Database, rule_id: str, body: dict, check) -> dict:
    """Change a rule.

    Args:
        check: called with the whole changed rule; raises `Problem` when its fields do not fit together.

    Raises:
        Problem: 404, 409, 422.
    """

    def work(db) -> dict:
        _next_revision(db)
        rule = _get(db, rule_id)
        merged = {
            **{key: rule[key] for key in ("prefix", "protocol", "ports", "action", "limit", "count_only")},
            **body,
        }
        if merged["action"] != "rate" and "limit" not in body:
            merged["limit"] = None
        check(merged)
        columns = _columns(merged)
        _check_unique(db, rule_id, columns)
        db(db.guard_rules.id == rule_id).update(**columns, updated_at=now())
        record(db, "guard.update_rule", "guard_rule", rule_id, _told(columns))
        return _get(db, rule_id, live=False)

    return database.write(work)


def delete_rule(database: Database, rule_id: str) -> None:
    """Delete a rule. Raises a 404 `Problem`."""

    def work(db) -> None:
        _next_revision(db)
        rule = _get(db, rule_id)
        db(db.guard_rules.id == rule_id).delete()
        record(db, "guard.delete_rule", "guard_rule", rule_id, {"prefix": rule["prefix"], "action": rule["action"]})

    database.write(work)


def get_policy(database: Database) -> dict:
    """What happens to packets that no rule decides: `{default_action, source_limit, revision}`."""
    return database.read(_policy)


def set_policy(database: Database, body: dict) -> dict:
    """Replace the policy."""

    def work(db) -> dict:
        _next_revision(db)
        limit = body["source_limit"] or dict.fromkeys(LIMITS, 0)
        db(db.guard_policy.id == 1).update(default_action=body["default_action"], **limit)
        record(db, "guard.set_policy", "guard_policy", 1, {"default_action": body["default_action"]})
        return _policy(db)

    return database.write(work)


def expire(database: Database) -> int:
    """Delete the rules whose time is over, as a revision; returns their number. Nodes end them by themselves, too."""
    sql = "SELECT id, prefix, action FROM guard_rules WHERE expires_at <= %s LIMIT 500"

    def work(db) -> int:
        if not (rows := fetch(db, sql, _clock())):
            return 0
        _next_revision(db)
        db(db.guard_rules.id.belongs([row["id"] for row in rows])).delete()
        for row in rows:
            record(db, "guard.expire_rule", "guard_rule", row["id"], {"prefix": row["prefix"], "action": row["action"]})
        return len(rows)

    return database.write(work)


def snapshot(database: Database) -> tuple[dict, list[dict]]:
    """The policy with its revision and all live rules, of one moment."""

    def work(db) -> tuple[dict, list[dict]]:
        # The lock makes both of one revision on every engine, whatever its isolation.
        policy = _policy(db, for_update(db))
        rows = fetch(db, f"SELECT {_COLUMNS} FROM guard_rules WHERE {_LIVE} ORDER BY id", _clock())
        return policy, [_decoded(row) for row in rows]

    return database.write(work)


def revision(db) -> int:
    """Number of the current revision."""
    return fetch(db, "SELECT revision FROM guard_policy WHERE id = 1")[0]["revision"]


def _clock() -> str:
    return now().isoformat(" ")


def _next_revision(db) -> None:
    # Also the lock under which changes of rules queue, so that none overlooks another.
    db(db.guard_policy.id == 1).update(revision=db.guard_policy.revision + 1)


def _policy(db, lock: str = "") -> dict:
    sql = f"SELECT revision, default_action, {_LIMIT_COLUMNS} FROM guard_policy WHERE id = 1{lock}"
    row = fetch(db, sql)[0]
    return {
        "revision": row["revision"],
        "default_action": row["default_action"],
        "source_limit": _limit(row) if any(row[name] for name in LIMITS) else None,
    }


def _get(db, rule_id: str, live: bool = True) -> dict:
    """A rule; of one that was just written it does not matter whether its time is over already."""
    sql = f"SELECT {_COLUMNS} FROM guard_rules WHERE id = %s"
    rows = fetch(db, f"{sql} AND {_LIVE}", rule_id, _clock()) if live else fetch(db, sql, rule_id)
    if not rows:
        raise Problem(404, f"There is no rule {rule_id}.", "no-such-rule")
    return _decoded(rows[0])


def _check_unique(db, rule_id: str, columns: dict) -> None:
    """Refuse a second rule for exactly the same packets: it repeats the first or contradicts it."""
    sql = (
        "SELECT id, action FROM guard_rules WHERE prefix = %s AND protocol = %s AND ports = %s AND count_only = %s"
        f" AND id <> %s AND {_LIVE}"
    )
    same = [columns[name] for name in ("prefix", "protocol", "ports", "count_only")]
    for row in fetch(db, sql, *same, rule_id, _clock()):
        verb = "repeats" if row["action"] == columns["action"] else "contradicts"
        detail = f"The rule {verb} rule {row['id']} ({row['action']}) for the same packets; change that one."
        raise Problem(409, detail, "rule-contradiction")


def _columns(body: dict) -> dict:
    columns = {key: body[key] for key in ("prefix", "protocol", "action", "owner", "comment") if key in body}
    columns["ports"] = ",".join(f"{ports['first']}-{ports['last']}" for ports in body["ports"])
    columns["count_only"] = int(body["count_only"])
    columns |= body["limit"] or dict.fromkeys(LIMITS, 0)
    if body.get("ttl_seconds"):
        columns["expires_at"] = now() + timedelta(seconds=body["ttl_seconds"])
    elif "expires_at" in body:
        columns["expires_at"] = body["expires_at"]
    return columns


def _told(columns: dict) -> dict:
    return {key: columns[key] for key in ("prefix", "protocol", "ports", "action", "count_only")}


def _decoded(row: dict) -> dict:
    ranges = [text.split("-") for text in row["ports"].split(",") if text]
    return row | {
        "ports": [{"first": int(first), "last": int(last)} for first, last in ranges],
        "limit": _limit(row) if row["action"] == "rate" else None,
    }


def _limit(row: dict) -> dict:
    return {name: row[name] for name in LIMITS}
