import { useEffect, useState } from "react";
import { apiAddress } from "@/api/client";

export interface LiveEvent {
  id: string;
  kind: string;
  data: Record<string, unknown> & { created_at?: string };
}

export type StreamState = "connecting" | "open" | "closed";

/** Longest list that is kept: a page left open must not grow without bound. */
const KEEP = 200;
/** Kinds of frames; an EventSource only tells those it is asked for. */
const KINDS = [
  "job.progress",
  "job.finished",
  "guard.status",
  "guard.create_rule",
  "guard.update_rule",
  "guard.delete_rule",
  "guard.expire_rule",
  "guard.set_policy",
  "lost",
] as const;

/**
 * Live events of a topic, newest first, as long as the component is mounted. The browser comes back by itself
 * after an interruption, with the id of the last event it saw.
 */
export function useEvents(topics: string, onEvent?: (event: LiveEvent) => void): { events: readonly LiveEvent[]; state: StreamState } {
  const [events, setEvents] = useState<readonly LiveEvent[]>([]);
  const [state, setState] = useState<StreamState>("connecting");

  useEffect(() => {
    const source = new EventSource(apiAddress(`/api/v1/events?topics=${encodeURIComponent(topics)}`));
    const take = (message: MessageEvent<string>) => {
      const event = { id: message.lastEventId, kind: message.type, data: parse(message.data) };
      setEvents((old) => [event, ...old].slice(0, KEEP));
      onEvent?.(event);
    };
    for (const kind of KINDS) source.addEventListener(kind, take);
    source.addEventListener("open", () => setState("open"));
    source.addEventListener("error", () => setState(source.readyState === EventSource.CLOSED ? "closed" : "connecting"));
    return () => source.close();
  }, [topics, onEvent]);

  return { events, state };
}

function parse(text: string): LiveEvent["data"] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as LiveEvent["data"]) : {};
  } catch {
    return {};
  }
}
