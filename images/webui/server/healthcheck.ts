/** The image's health command: exits 0 when this server's own `/healthz` answers 200. */
const port = Number(process.env.PORT) || 3000;

fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(3_000) })
  .then(({ status }) => {
    if (status !== 200) throw new Error(`HTTP ${status}`);
  })
  .catch((error: unknown) => {
    console.error(`error: /healthz on port ${port}: ${(error as Error).message}`);
    process.exitCode = 1;
  });
