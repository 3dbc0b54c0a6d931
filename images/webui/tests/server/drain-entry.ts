/** The server as a process, without built pages: what the SIGTERM test sends its signal to. */
import { createApp } from "../../server/app.js";
import { readConfig } from "../../server/config.js";
import { createLogger } from "../../server/logging.js";
import { serve } from "../../server/serve.js";

const config = readConfig(process.env);
const logger = createLogger(config);
const lifecycle = { draining: false };
const app = createApp({ config, logger, lifecycle, pages: (_req, res) => void res.end() });
await serve(app, { port: config.port, logger, lifecycle, lingerMs: 100 });
