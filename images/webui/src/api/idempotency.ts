import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

const HEADER = "Idempotency-Key";
/** After this time the same request is a new wish, not the repetition of a lost one. */
const KEEP_MS = 5 * 60_000;
/** Keys of requests of which nobody knows what became, by the digest of all that they ask for. */
const keys = new Map<string, string>();
/** A request may hold a password: what is kept of it tells nobody which. */
const digestKey = crypto.getRandomValues(new Uint8Array(32));

/**
 * Sends a request; a POST with a key, and with the same one again when its answer got lost and the user presses once
 * more: the backend finds the key and does nothing twice (docs/decisions/0014). Where it takes no key, it ignores it.
 */
export async function sendOnce(request: Request): Promise<Response> {
  if (request.method !== "POST") return fetch(request);
  const asked = digestOf(`${request.url}\n${await request.clone().text()}`);
  request.headers.set(HEADER, keyOf(asked));
  const response = await fetch(request);
  // The whole answer: one that breaks off is lost, too.
  const body = await response.arrayBuffer();
  if (isKnown(response)) keys.delete(asked);
  return new Response(body.byteLength ? body : null, response);
}

/** Whether it is over: a 409 may mean that the first try still runs. */
const isKnown = ({ status }: Response) => status < 500 && status !== 409;

// Neither crypto.subtle nor randomUUID, which browsers have over TLS only.
const digestOf = (text: string) => bytesToHex(hmac(sha256, digestKey, utf8ToBytes(text)));

function keyOf(asked: string): string {
  const known = keys.get(asked);
  if (known) return known;
  const key = bytesToHex(crypto.getRandomValues(new Uint8Array(16)));
  keys.set(asked, key);
  // Its own key alone: the same request may have a newer one by then.
  setTimeout(() => keys.get(asked) === key && keys.delete(asked), KEEP_MS);
  return key;
}
