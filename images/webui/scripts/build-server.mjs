// Bundle the server into single files, so that the image needs no node_modules.
import { build } from "esbuild";

await build({
  entryPoints: ["server/main.ts", "server/healthcheck.ts"],
  outdir: "dist/server",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: true,
  legalComments: "linked",
  // Some dependencies are CommonJS and call require() for Node's own modules.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  logLevel: "info",
});
