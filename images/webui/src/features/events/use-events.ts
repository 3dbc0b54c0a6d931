import { useEffect, useState } from "react";
import { apiAddress } from "@/api/client";
import { useSessionEnded } from "@/features/auth/session";

export interface LiveEvent {
  id: string;
  kind: string;
  data: Record<string, unknown> & { created_at?: string; time?: string };
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

export interface LiveStream {
  /** Newest first. */
  events: readonly LiveEvent[];
  state: StreamState;
}

/** Live events of a topic. */
export const useEvents = (topics: string, onEvent?: (event: LiveEvent) => void): LiveStream =>
  useStream(`/api/v1/events?topics=${encodeURIComponent(topics)}`, KINDS, onEvent);

/**
 * Frames of some kinds of an event stream of the backend, as long as the component is mounted. The browser comes
 * back by itself after an interruption, with the id of the last event it saw. `kinds` is a constant of the module.
 */
export function useStream(path: string, kinds: readonly string[], onEvent?: (event: LiveEvent) => void): LiveStream {
  const [events, setEvents] = useState<readonly LiveEvent[]>([]);
  const [state, setState] = useState<StreamState>("connecting");
  const ended = useSessionEnded();

  useEffect(() => {
    // A stream that the end of the session has closed opens again after the login.
    if (ended) return;
    const source = new EventSource(apiAddress(path));
    const take = (message: Event) => {
      // A frame of kind "error" and a broken connection come by the same name.
      if (!isFrame(message)) return;
      const event = { id: message.lastEventId, kind: message.type, data: parse(message.data) };
      setEvents((old) => [event, ...old].slice(0, KEEP));
      onEvent?.(event);
    };
    for (const kind of kinds) source.addEventListener(kind, take);
    source.addEventListener("open", () => setState("open"));
    source.addEventListener("error", (event) => {
      if (!isFrame(event)) setState(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
    });
    return () => source.close();
  }, [path, kinds, onEvent, ended]);

  return { events, state };
}

const isFrame = (event: Event): event is MessageEvent<string> => event instanceof MessageEvent;

function parse(text: string): LiveEvent["data"] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as LiveEvent["data"]) : {};
  } catch {
    return {};
  }
}
