"""The package sources of a Debian host, and the same mirrors for another suite: no mirror is named here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """One repository: where it is, and one of its suites."""

    uri: str
    suite: str


def sources_for(suite: str, apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")) -> list[str]:
    """`deb` lines for `suite` on this host's own mirrors; empty when the host is no Debian or has none."""
    release = _key_values(os_release.read_text()) if os_release.exists() else {}
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not codename:
        return []
    found = [source for source in host_sources(apt) if source.suite.split("-")[0].split("/")[0] == codename]
    wanted = [Source(source.uri, source.suite.replace(codename, suite, 1)) for source in found]
    wanted = [source for source in wanted if _is_standard(source, suite)]
    if not any(source.suite == suite for source in wanted):
        return []
    return [f"deb [signed-by={KEYRING}] {source.uri} {source.suite} main" for source in dict.fromkeys(wanted)]


def host_sources(apt: Path) -> list[Source]:
    """Binary package sources with a `main` component, of both file formats."""
    found = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.exists():
            found += [source for line in path.read_text().splitlines() for source in _one_line(line)]
        elif path.suffix == ".sources":
            found += [source for stanza in path.read_text().split("\n\n") for source in _stanza(stanza)]
    return found


def _is_standard(source: Source, suite: str) -> bool:
    return source.suite in (suite, f"{suite}-updates", f"{suite}-security")


def _one_line(line: str) -> list[Source]:
    words = line.split("#")[0].split()
    if not words or words[0] != "deb":
        return []
    while len(words) > 1 and words[1].startswith("["):  # options: [signed-by=… arch=…]
        end = next(index for index, word in enumerate(words) if word.endswith("]"))
        del words[1 : end + 1]
    return [Source(words[1], words[2])] if "main" in words[3:] else []


def _stanza(text: str) -> list[Source]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    fields = {key.strip().lower(): value.split() for key, _, value in (line.partition(":") for line in lines)}
    usable = "deb" in fields.get("types", []) and "main" in fields.get("components", [])
    if not usable or fields.get("enabled") == ["no"]:
        return []
    return [Source(uri, suite) for uri in fields.get("uris", []) for suite in fields.get("suites", [])]


def _key_values(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip('"') for key, _, value in pairs}
