const LAST_PORT = 65_535;

/** State of the ingest page as the URL holds it. */
export interface IngestSearch {
  tab?: string;
  /** The port that the live tail is limited to. */
  port?: number;
  /** Payloads of the live tail in hexadecimal, not as text. */
  hex?: boolean;
}

/** Read the URL's parameters; what is wrong falls back to the default. */
export function parseIngestSearch(raw: Record<string, unknown>): IngestSearch {
  const port = Number(raw.port);
  return {
    tab: typeof raw.tab === "string" ? raw.tab : undefined,
    port: Number.isInteger(port) && port > 0 && port <= LAST_PORT ? port : undefined,
    hex: raw.hex === true || undefined,
  };
}
