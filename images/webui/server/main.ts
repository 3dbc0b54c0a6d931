import { fileURLToPath } from "node:url";
import { createApp } from "./app.js";
import { ConfigError, readConfig } from "./config.js";
import { createLogger } from "./logging.js";
import { serve } from "./serve.js";
import { staticFiles } from "./static.js";

const CLIENT_DIRECTORY = fileURLToPath(new URL("../client", import.meta.url));

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config);
  const lifecycle = { draining: false };
  const app = createApp({ config, logger, lifecycle, pages: staticFiles(CLIENT_DIRECTORY, config.basePath) });
  await serve(app, { port: config.port, logger, lifecycle });
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || (error as NodeJS.ErrnoException).syscall === "listen";
  console.error(expected ? `error: ${(error as Error).message}` : error);
  process.exit(1);
});
