/** The upstream of both proxies: a JSON document of about 5 kB, as a page of the users list is. */
import { createServer } from "node:http";

const users = Array.from({ length: 24 }, (_, id) => ({
  id,
  email: `user-${id}@example.com`,
  full_name: `User number ${id}`,
  role: "viewer",
  is_active: true,
  must_change_password: false,
  totp_enabled: false,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
}));
const body = Buffer.from(JSON.stringify({ users, pagination: { page: 1, per_page: 24, total: 24, pages: 1 } }));
const headers = { "content-type": "application/json", "content-length": body.length, "cache-control": "no-store", etag: '"1"' };

createServer({ keepAliveTimeout: 60_000 }, (_req, res) => res.writeHead(200, headers).end(body)).listen(Number(process.env.PORT), "127.0.0.1");
