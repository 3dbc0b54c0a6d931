"""Schemathesis hooks (SCHEMATHESIS_HOOKS): the run must not saw off the branch it sits on."""

from __future__ import annotations

import os

import schemathesis

OWN_USER_ID = int(os.environ["FUZZ_USER_ID"])


@schemathesis.hook
def before_call(context, case, kwargs):
    """Let the caller's own account be, in every phase: a changed role or password would end the session of the run."""
    user_id = str((case.path_parameters or {}).get("user_id", ""))
    if user_id.isdecimal() and int(user_id) == OWN_USER_ID:
        case.path_parameters["user_id"] = OWN_USER_ID + 1
