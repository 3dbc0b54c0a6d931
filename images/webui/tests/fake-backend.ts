import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  method: string;
  path: string;
  /** Path and query as they came. */
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

type Handler = (req: SeenRequest, res: ServerResponse) => void;

/** A small backend that speaks the contract's authentication and records what reaches it. */
export class FakeBackend {
  readonly seen: SeenRequest[] = [];
  /** Overrides by `METHOD /path`, for one test. */
  readonly routes = new Map<string, Handler>();
  expiresIn = 600;
  /** Set by `start`. */
  url = "";
  private readonly refreshTokens = new Set<string>();
  private readonly server: Server;

  constructor() {
    // A body that is broken off reaches no route.
    this.server = createServer((req, res) => void this.handle(req, res).catch(() => res.destroy()));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this.url;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  count(path: string): number {
    return this.seen.filter((request) => request.path === path).length;
  }

  private async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const url = new URL(req.url ?? "/", "http://fake");
    const { method = "GET", headers } = req;
    const request = { method, path: url.pathname, url: req.url ?? "/", headers, body: Buffer.concat(chunks).toString() };
    this.seen.push(request);
    const route = this.routes.get(`${method} ${url.pathname}`) ?? this.standard(request);
    route(request, res);
  }

  private standard({ method, path }: SeenRequest): Handler {
    switch (`${method} ${path}`) {
      case "POST /api/v1/auth/login":
        return (request, res) => this.login(request, res);
      case "POST /api/v1/auth/refresh":
        return (request, res) => this.refresh(request, res);
      case "POST /api/v1/auth/logout":
        return (_request, res) => res.writeHead(204).end();
      case "GET /readyz":
        return (_request, res) => reply(res, 200, { status: "ok", checks: {} });
      case "GET /api/v1/auth/me":
        return ({ headers }, res) =>
          headers.authorization?.startsWith("Bearer access-") ? reply(res, 200, USER) : unauthorized(res);
      default:
        return ({ headers, body }, res) => reply(res, 200, { headers, body });
    }
  }

  private login({ body }: SeenRequest, res: ServerResponse): void {
    const { password } = JSON.parse(body) as { password?: string };
    if (password === "admin") this.issue(res);
    else unauthorized(res);
  }

  private refresh({ body }: SeenRequest, res: ServerResponse): void {
    const { refresh_token } = JSON.parse(body) as { refresh_token: string };
    // Slow enough for concurrent requests to meet; a token is good once.
    const known = this.refreshTokens.delete(refresh_token);
    setTimeout(() => (known ? this.issue(res) : unauthorized(res)), 50);
  }

  private issue(res: ServerResponse): void {
    const refresh_token = `refresh-${randomUUID()}`;
    this.refreshTokens.add(refresh_token);
    const access_token = `access-${randomUUID()}`;
    reply(res, 200, { access_token, refresh_token, token_type: "Bearer", expires_in: this.expiresIn, user: USER });
  }
}

export const USER = { id: 1, email: "admin@example.com", full_name: "Ada Admin", role: "admin" };

export function reply(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  res.writeHead(status, { "content-type": type, ...headers }).end(JSON.stringify(body));
}

function unauthorized(res: ServerResponse): void {
  reply(res, 401, { type: "about:blank", title: "Unauthorized", status: 401, detail: "Wrong email or password." });
}
