import { z } from "zod";

const schema = z.object({
  PORT: z.coerce.number().int().min(1).max(65535).default(3000),
  BACKEND_URL: z.url({ protocol: /^http$/, error: "takes a URL such as http://flask-backend:5000" }).default("http://flask-backend:5000"),
  ENVIRONMENT: z.enum(["alpha", "beta", "production"]).default("production"),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  VERSION: z.string().min(1).default("0.0.0-dev"),
});

export interface Config {
  port: number;
  /** Base URL of the Flask backend, no trailing slash. */
  backendUrl: string;
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
  const { PORT, BACKEND_URL, ENVIRONMENT, LOG_LEVEL, VERSION } = parsed.data;
  return {
    port: PORT,
    backendUrl: BACKEND_URL.replace(/\/+$/, ""),
    environment: ENVIRONMENT,
    logLevel: LOG_LEVEL,
    version: VERSION,
  };
}

/** An empty variable means the default, as it does in the other components. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}
