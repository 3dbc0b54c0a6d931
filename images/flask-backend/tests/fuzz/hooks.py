"""Schemathesis hooks (SCHEMATHESIS_HOOKS): the run must not saw off the branch it sits on."""

from __future__ import annotations

import os

import schemathesis

OWN_USER_ID = int(os.environ["FUZZ_USER_ID"])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Let the caller's own account be: a changed role or password would end the session of the run."""
    if path_parameters and str(path_parameters.get("user_id")) == str(OWN_USER_ID):
        return path_parameters | {"user_id": OWN_USER_ID + 1}
    return path_parameters
