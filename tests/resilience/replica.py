"""One replica of the backend, reached by itself."""

from __future__ import annotations

import httpx

from support import ADMIN


class Replica:
    """One backend pod; every instance logs in from an address of its own, so that throttles do not mix."""

    def __init__(self, url: str, address: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"X-Forwarded-For": address}, timeout=60)

    def login(self, password: str = ADMIN["password"], email: str = ADMIN["email"]) -> httpx.Response:
        return self.http.post("/auth/login", json={"email": email, "password": password})

    def status_of(self, token: str) -> int:
        return self.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code

    def key_ids(self) -> set[str]:
        """Ids of the keys that this replica accepts."""
        published = self.http.get(f"{self.url}/.well-known/jwks.json").raise_for_status().json()
        return {key["kid"] for key in published["keys"]}

    def logout(self, token: str) -> None:
        self.http.post("/auth/logout", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
