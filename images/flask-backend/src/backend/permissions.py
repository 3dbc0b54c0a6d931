"""Who may do what: the one table of endpoints and roles. An endpoint without a row answers nobody."""

from __future__ import annotations

ADMIN = "admin"
MAINTAINER = "maintainer"
VIEWER = "viewer"
ROLES = (ADMIN, MAINTAINER, VIEWER)

# From most to least; each may do all that the ones after it may.
_RANK = {role: rank for rank, role in enumerate(ROLES)}


def lesser_role(one: str, other: str) -> str:
    """The role of the two that may do less."""
    return max(one, other, key=_RANK.__getitem__)


PUBLIC = frozenset({"*"})
ANYBODY_SIGNED_IN = frozenset(ROLES)
WRITERS = frozenset({ADMIN, MAINTAINER})
ADMINS = frozenset({ADMIN})

PERMISSIONS: dict[str, frozenset[str]] = {
    "health.healthz": PUBLIC,
    "health.readyz": PUBLIC,
    "health.metrics": PUBLIC,
    "auth.login": PUBLIC,
    "auth.login_second_factor": PUBLIC,
    "auth.refresh": PUBLIC,
    "auth.logout": ANYBODY_SIGNED_IN,
    "auth.logout_all": ANYBODY_SIGNED_IN,
    "auth.list_sessions": ANYBODY_SIGNED_IN,
    "auth.end_session": ANYBODY_SIGNED_IN,
    "auth.me": ANYBODY_SIGNED_IN,
    "account.change_password": ANYBODY_SIGNED_IN,
    "account.get_totp": ANYBODY_SIGNED_IN,
    "account.enrol_totp": ANYBODY_SIGNED_IN,
    "account.confirm_totp": ANYBODY_SIGNED_IN,
    "account.renew_recovery_codes": ANYBODY_SIGNED_IN,
    "account.disable_totp": ANYBODY_SIGNED_IN,
    "api_keys.list_keys": ANYBODY_SIGNED_IN,
    "api_keys.create_key": ANYBODY_SIGNED_IN,
    "api_keys.revoke_key": ANYBODY_SIGNED_IN,
    "keys.jwks": PUBLIC,
    "api-docs.openapi_json": PUBLIC,
    "users.list_users": ADMINS,
    "users.create_user": ADMINS,
    "users.get_user": ADMINS,
    "users.update_user": ADMINS,
    "users.delete_user": ADMINS,
    "users.reset_password": ADMINS,
    "users.reset_totp": ADMINS,
    "audit.list_events": ADMINS,
    "audit.export_events": ADMINS,
    "permissions.get_permissions": ANYBODY_SIGNED_IN,
    "status.get_status": ANYBODY_SIGNED_IN,
    "status.get_traffic": ANYBODY_SIGNED_IN,
    # Who may start, cancel and read the output of a job depends on its kind, too: jobs/registry.py.
    "jobs.list_jobs": ANYBODY_SIGNED_IN,
    "jobs.get_job": ANYBODY_SIGNED_IN,
    "jobs.start_job": WRITERS,
    "jobs.cancel_job": WRITERS,
    "jobs.job_output": WRITERS,
    "webhooks.list_webhooks": ADMINS,
    "webhooks.create_webhook": ADMINS,
    "webhooks.get_webhook": ADMINS,
    "webhooks.update_webhook": ADMINS,
    "webhooks.delete_webhook": ADMINS,
    "webhooks.replace_secret": ADMINS,
    "webhooks.send_test": ADMINS,
    "webhooks.list_deliveries": ADMINS,
    "webhooks.redeliver": ADMINS,
    "events.stream_events": ANYBODY_SIGNED_IN,
    "ingest.list_streams": ANYBODY_SIGNED_IN,
    # Payloads may be confidential.
    "ingest.tail": WRITERS,
    "guard.list_rules": ANYBODY_SIGNED_IN,
    "guard.create_rule": WRITERS,
    "guard.get_rule": ANYBODY_SIGNED_IN,
    "guard.update_rule": WRITERS,
    "guard.delete_rule": WRITERS,
    "guard.get_policy": ANYBODY_SIGNED_IN,
    "guard.set_policy": WRITERS,
    "guard.get_guard_status": ANYBODY_SIGNED_IN,
    "guard.get_counters": ANYBODY_SIGNED_IN,
    "guard.watch_drops": ANYBODY_SIGNED_IN,
}

# What an API key never does, whatever its role: its owner's own credentials are the owner's business.
SESSION_ONLY = frozenset(
    {
        "auth.logout",
        "auth.logout_all",
        "auth.list_sessions",
        "auth.end_session",
        "account.change_password",
        "account.get_totp",
        "account.enrol_totp",
        "account.confirm_totp",
        "account.renew_recovery_codes",
        "account.disable_totp",
        "api_keys.list_keys",
        "api_keys.create_key",
        "api_keys.revoke_key",
    }
)
# All that a user who must change the password reaches, beside what is public.
BEFORE_PASSWORD_CHANGE = frozenset({"account.change_password", "auth.me", "auth.logout"})
