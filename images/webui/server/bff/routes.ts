import express, { Router, type Request, type Response } from "express";
import { BackendAway, type Backend, type BackendReply, type TokenSet } from "../backend.js";
import { callerOf } from "../caller.js";
import type { Config } from "../config.js";
import { sendProblem } from "../problem.js";
import type { Refresher } from "../refresh.js";
import type { SessionCookies } from "../session.js";
import type { Streams } from "../streams.js";

export interface BffDependencies {
  config: Config;
  backend: Backend;
  refresher: Refresher;
  sessions: SessionCookies;
  streams: Streams;
}

/** What the single-page application asks of this server itself: session and run-time configuration. */
export function bffRoutes({ config, backend, refresher, sessions, streams }: BffDependencies): Router {
  const router = Router();
  router.use((_req, res, next) => {
    res.set("Cache-Control", "no-store");
    next();
  });

  router.get("/config", (req, res) => {
    const { environment, version } = config;
    res.json({ environment, version, signed_in: sessions.has(req) });
  });

  router.post("/login", express.json({ limit: "16kb" }), async (req, res) => {
    signIn(req, res, await backend.login(req.body ?? {}, callerOf(req)));
  });

  router.post("/login/second-factor", express.json({ limit: "16kb" }), async (req, res) => {
    signIn(req, res, await backend.secondFactor(req.body ?? {}, callerOf(req)));
  });

  router.post("/logout", async (req, res) => {
    const { access, refresh } = await freshSession(req);
    sessions.clear(req, res);
    if (refresh) refresher.forget(refresh);
    if (access) streams.endSession(access);
    if (access) await backend.logout(access, refresh, callerOf(req)).catch(ignoreAway);
    res.status(204).end();
  });

  router.get("/session", async (req, res) => {
    const { access, refresh } = sessions.read(req);
    let reply = access ? await backend.me(access, callerOf(req)) : undefined;
    if (reply?.status !== 200 && (!reply || reply.status === 401) && refresh) {
      const result = await refresher.refresh(refresh, callerOf(req));
      if (result.kind === "renewed") {
        sessions.write(req, res, result.tokens);
        reply = await backend.me(result.tokens.access_token, callerOf(req));
      }
    }
    if (reply?.status === 200) return void res.json({ user: JSON.parse(reply.body) as unknown });
    if (reply && reply.status !== 401) return relay(res, reply);
    if (sessions.has(req)) sessions.clear(req, res);
    sendProblem(res, 401, "Unauthorized", "Sign in to go on.");
  });

  /** The cookies' tokens, renewed if only the refresh token is left (an expired one cannot log out). */
  async function freshSession(req: Request) {
    const session = sessions.read(req);
    if (session.access || !session.refresh) return session;
    const result = await refresher.refresh(session.refresh, callerOf(req)).catch(ignoreAway);
    if (result?.kind !== "renewed") return session;
    return { access: result.tokens.access_token, refresh: result.tokens.refresh_token };
  }

  /** Keep the tokens in cookies; a refusal, or the challenge of a second factor, goes on to the browser. */
  function signIn(req: Request, res: Response, reply: BackendReply): void {
    if (reply.status !== 200) return relay(res, reply);
    const tokens = JSON.parse(reply.body) as TokenSet;
    sessions.write(req, res, tokens);
    res.json({ user: tokens.user });
  }

  return router;
}

/** Pass a refusal of the backend on as it is: problem details hold no token. */
function relay(res: Response, reply: BackendReply): void {
  if (reply.retryAfter) res.set("Retry-After", reply.retryAfter);
  res.status(reply.status).type(reply.contentType).send(reply.body);
}

/** A logout must end the session in the browser even when the backend is away. */
function ignoreAway(error: unknown): undefined {
  if (error instanceof BackendAway) return undefined;
  throw error;
}
