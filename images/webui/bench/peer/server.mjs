/** The plain proxy: no session, no log line (unless LOG is set), no metrics, no security headers. */
import httpProxy from "@fastify/http-proxy";
import Fastify from "fastify";

const app = Fastify({ logger: process.env.LOG === "1" });
await app.register(httpProxy, { upstream: process.env.BACKEND_URL, prefix: "/api", rewritePrefix: "/api" });
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
