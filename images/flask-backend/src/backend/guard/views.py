"""Endpoints of the edge guard: everybody reads, maintainers and admins write."""

from __future__ import annotations

from flask import Response, g

from backend.context import services
from backend.events.streams import stream
from backend.events.views import still_signed_in
from backend.fields import Blueprint
from backend.guard import rules, service
from backend.guard.schemas import (
    CountersSchema,
    GuardStatusSchema,
    PolicySchema,
    PolicyUpdateSchema,
    RuleCreateSchema,
    RuleListSchema,
    RuleQuerySchema,
    RuleSchema,
    RuleUpdateSchema,
    rule_errors,
)
from backend.idempotency import idempotent
from backend.problems import Problem

blueprint = Blueprint("guard", __name__, url_prefix="/api/v1/guard", description="The edge guard of the fast path")
_ONE = "/rules/<string(length=32):rule_id>"


@blueprint.get("/rules")
@blueprint.arguments(RuleQuerySchema, location="query")
@blueprint.response(200, RuleListSchema)
def list_rules(query):
    """List rules"""
    return rules.list_rules(services().database, **query)


@blueprint.post("/rules")
@idempotent
@blueprint.arguments(RuleCreateSchema)
@blueprint.response(201, RuleSchema)
def create_rule(body):
    """Create a rule; nodes have it seconds later"""
    return rules.create_rule(services().database, body, g.principal.user["email"])


@blueprint.get(_ONE)
@blueprint.response(200, RuleSchema)
def get_rule(rule_id):
    """Get a rule"""
    return rules.get_rule(services().database, rule_id)


@blueprint.patch(_ONE)
@blueprint.arguments(RuleUpdateSchema)
@blueprint.response(200, RuleSchema)
def update_rule(body, rule_id):
    """Change a rule"""
    return rules.update_rule(services().database, rule_id, body, _check)


@blueprint.delete(_ONE)
@blueprint.response(204)
def delete_rule(rule_id):
    """Delete a rule"""
    rules.delete_rule(services().database, rule_id)
    return Response(status=204)


@blueprint.get("/policy")
@blueprint.response(200, PolicySchema)
def get_policy():
    """What happens to packets that no rule decides"""
    return rules.get_policy(services().database)


@blueprint.put("/policy")
@blueprint.arguments(PolicyUpdateSchema)
@blueprint.response(200, PolicySchema)
def set_policy(body):
    """Replace the policy"""
    return rules.set_policy(services().database, body)


@blueprint.get("/status")
@blueprint.response(200, GuardStatusSchema)
def get_guard_status():
    """State of every node: revision, mode, counters and top sources"""
    return service.guard_status(services())


@blueprint.get("/counters")
@blueprint.response(200, CountersSchema)
def get_counters():
    """Hits of every rule, summed over the nodes"""
    return service.rule_counters(services())


@blueprint.get("/drops")
@blueprint.response(200, {"type": "string"}, content_type="text/event-stream")
def watch_drops():
    """Samples of dropped packets as they happen (Server-Sent Events)"""
    own = services()
    return stream(own.streams, still_signed_in(own), service.watch_drops(own))


def _check(rule: dict) -> None:
    if errors := rule_errors(rule):
        raise Problem(422, "The rule's fields do not fit together.", errors={"json": errors})
