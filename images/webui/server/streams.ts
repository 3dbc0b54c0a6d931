import type { ServerResponse } from "node:http";

/**
 * Open server-sent event streams: a logout that comes to this server ends those of its session at once. The backend ends
 * those of a session that ended in any other way (at another replica, by logout-all) within about two seconds.
 */
export class Streams {
  /** Each open stream with its session; streams of Bearer clients have none. */
  private readonly open = new Map<ServerResponse, string | undefined>();

  /** @param access the access token of the browser's session that the stream was opened with. */
  add(res: ServerResponse, access: string | undefined): void {
    this.open.set(res, access === undefined ? undefined : sessionOf(access));
    res.once("close", () => this.open.delete(res));
  }

  endSession(access: string): void {
    const session = sessionOf(access);
    for (const [res, its] of this.open) if (its === session) res.end();
  }

  /** For the end of this process: clients come back by themselves, to another replica. */
  endAll(): void {
    for (const res of this.open.keys()) res.end();
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
