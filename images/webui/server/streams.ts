import type { ServerResponse } from "node:http";

/**
 * Open server-sent event streams, by session: a logout that comes to this server ends them at once. The backend ends
 * those of a session that ended in any other way (at another replica, by logout-all) within two seconds.
 */
export class Streams {
  private readonly open = new Map<string, Set<ServerResponse>>();

  /** @param access the access token that the stream was opened with. */
  add(access: string, res: ServerResponse): void {
    const session = sessionOf(access);
    const streams = this.open.get(session) ?? new Set();
    this.open.set(session, streams.add(res));
    res.once("close", () => {
      streams.delete(res);
      if (streams.size === 0 && this.open.get(session) === streams) this.open.delete(session);
    });
  }

  endSession(access: string): void {
    for (const res of this.open.get(sessionOf(access)) ?? []) res.end();
  }

  /** For the end of this process: browsers come back by themselves, to another replica. */
  endAll(): void {
    for (const streams of this.open.values()) for (const res of streams) res.end();
  }
}

/** The session an access token belongs to, which outlives the token. Not verified: it only chooses what to end. */
function sessionOf(access: string): string {
  try {
    const { sid } = JSON.parse(Buffer.from(access.split(".")[1] ?? "", "base64url").toString()) as { sid?: unknown };
    if (typeof sid === "string") return sid;
  } catch {
    // No token of the backend's.
  }
  return access;
}
