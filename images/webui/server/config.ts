import { z } from "zod";

/** As in the chart's schema. Segments neither start with a dot nor need escaping in HTML, in a cookie or in a route. */
const BASE_PATH = /^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

const schema = z.object({
  PORT: z.coerce.number().int().min(1).max(65535).default(3000),
  BACKEND_URL: z
    .url({ protocol: /^http$/, error: "takes a URL such as http://flask-backend:5000" })
    .refine((url) => new URL(url).pathname === "/", "takes a URL without a path, such as http://flask-backend:5000")
    .default("http://flask-backend:5000"),
  BASE_PATH: z
    .string()
    .transform((path) => (path === "/" ? "" : path))
    .pipe(z.string().regex(BASE_PATH, "takes a path such as /console, without a slash at its end (empty: the root)"))
    .default(""),
  ENVIRONMENT: z.enum(["alpha", "beta", "production"]).default("production"),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  VERSION: z.string().min(1).default("0.0.0-dev"),
});

export interface Config {
  port: number;
  /** Base URL of the Flask backend, no trailing slash. */
  backendUrl: string;
  /** The path that the browser sees this server below, such as `/console`; empty at the root of a host. */
  basePath: string;
  environment: "alpha" | "beta" | "production";
  logLevel: string;
  version: string;
}

export class ConfigError extends Error {}

/**
 * Read the configuration from environment variables (docs/developers/contracts.md).
 * @throws ConfigError one line naming each wrong variable and what it takes.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const parsed = schema.safeParse(withoutEmpty(env));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new ConfigError(`set the environment right: ${faults.join("; ")}`);
  }
  const { PORT, BACKEND_URL, BASE_PATH, ENVIRONMENT, LOG_LEVEL, VERSION } = parsed.data;
  return {
    port: PORT,
    backendUrl: BACKEND_URL.replace(/\/+$/, ""),
    basePath: BASE_PATH,
    environment: ENVIRONMENT,
    logLevel: LOG_LEVEL,
    version: VERSION,
  };
}

/** An empty variable means the default, as it does in the other components. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}
