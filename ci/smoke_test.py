#!/usr/bin/env python3
"""`make smoke-test`: the chart's own `helm test` pods, run on the local cluster with their logs shown."""

from __future__ import annotations

import release
from common import log, main_guard


def main() -> None:
    target = release.from_environment()
    log(f"helm test {release.RELEASE} on {target.name}")
    print(target.helm("test", release.RELEASE, "--logs", "--timeout", "3m"))
    print(f"The platform at {target.url} passed its smoke test.")


if __name__ == "__main__":
    main_guard(main)
