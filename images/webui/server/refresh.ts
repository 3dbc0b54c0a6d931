import { BackendAway, type Backend, type Caller, type TokenSet } from "./backend.js";
import type { Metrics } from "./metrics.js";

export type RefreshResult = { kind: "renewed"; tokens: TokenSet } | { kind: "refused" };

/** Requests sent before the browser learnt the new cookies still bring the spent token for a moment. */
const KEEP_MS = 15_000;

/**
 * Renews sessions, once per refresh token however many requests ask at the same time:
 * a refresh token is spent by its first use, so a second use would end the session.
 */
export class Refresher {
  private readonly flights = new Map<string, Promise<RefreshResult>>();
  /** From a fresh token to the spent one it replaced, as long as that one is remembered. */
  private readonly origins = new Map<string, string>();

  constructor(
    private readonly backend: Backend,
    private readonly refreshes: Metrics["refreshes"],
  ) {}

  /** @throws BackendAway when the backend does not answer or fails; the token is then still good. */
  refresh(refreshToken: string, caller: Caller): Promise<RefreshResult> {
    const known = this.flights.get(refreshToken);
    if (known) return known;
    const flight = this.renew(refreshToken, caller);
    this.flights.set(refreshToken, flight);
    flight.then(
      (result) => {
        if (result.kind === "renewed") this.origins.set(result.tokens.refresh_token, refreshToken);
        setTimeout(() => this.drop(refreshToken, result), KEEP_MS).unref();
      },
      () => this.flights.delete(refreshToken),
    );
    return flight;
  }

  /** Forget a token's renewal: the one it led to, and the one it came from. */
  forget(refreshToken: string): void {
    const origin = this.origins.get(refreshToken);
    this.origins.delete(refreshToken);
    this.flights.delete(refreshToken);
    if (origin) this.flights.delete(origin);
  }

  private drop(refreshToken: string, result: RefreshResult): void {
    this.flights.delete(refreshToken);
    if (result.kind === "renewed") this.origins.delete(result.tokens.refresh_token);
  }

  private async renew(refreshToken: string, caller: Caller): Promise<RefreshResult> {
    const reply = await this.backend.refresh(refreshToken, caller).catch((error: unknown) => {
      this.refreshes.inc({ result: "unavailable" });
      throw error;
    });
    if (reply.status === 200) {
      this.refreshes.inc({ result: "renewed" });
      return { kind: "renewed", tokens: JSON.parse(reply.body) as TokenSet };
    }
    if (reply.status >= 500 || reply.status === 429) {
      this.refreshes.inc({ result: "unavailable" });
      throw new BackendAway(`HTTP ${reply.status}`);
    }
    this.refreshes.inc({ result: "refused" });
    return { kind: "refused" };
  }
}
