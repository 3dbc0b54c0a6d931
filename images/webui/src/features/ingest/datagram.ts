import type { LiveEvent } from "@/features/events/use-events";

const NANOSECONDS_A_MILLISECOND = 1e6;

/** A frame of the live tail for people: a datagram with its time, its source as one address, its payload as text. */
export function readable(event: LiveEvent): LiveEvent {
  if (event.kind !== "datagram") return event;
  const { received_at_ns, source, source_port, payload_hex, ...rest } = event.data;
  const bytes = bytesOf(typeof payload_hex === "string" ? payload_hex : "");
  const cut = Number(rest.length) > bytes.length ? "…" : "";
  const from = String(source).includes(":") ? `[${String(source)}]` : String(source);
  const data = { ...timeOf(received_at_ns), ...rest, source: `${from}:${String(source_port)}`, payload: textOf(bytes) + cut };
  return { ...event, data };
}

function timeOf(nanoseconds: unknown): { time?: string } {
  const at = new Date(Number(nanoseconds) / NANOSECONDS_A_MILLISECOND);
  return Number.isNaN(at.getTime()) ? {} : { time: at.toISOString() };
}

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** What has no sign of its own, or would change how its neighbours are shown, becomes a dot. */
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replaceAll(/[\p{Cc}\p{Cf}]/gu, "·");
