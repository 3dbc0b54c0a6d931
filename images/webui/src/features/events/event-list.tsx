import { Radio } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/states";
import { Guarded } from "@/features/access/guarded";
import { formatPrecise } from "@/lib/format";
import { useEvents, type LiveEvent, type LiveStream } from "./use-events";

/** Live events of a topic, newest first. */
export const EventList = ({ topics }: { topics: string }) => (
  <Guarded operation="events.stream_events">
    <Events topics={topics} />
  </Guarded>
);

function Events({ topics }: { topics: string }) {
  const { t } = useTranslation();
  return (
    <Feed label={t("Events")} {...useEvents(topics)} emptyTitle={t("Nothing has happened yet")}>
      {t("Events appear here as they happen, while this page is open.")}
    </Feed>
  );
}

interface FeedProps extends LiveStream {
  label: string;
  emptyTitle: string;
  /** What will appear here. */
  children: ReactNode;
}

/** What a live stream tells, newest first. */
export function Feed({ label, events, state, emptyTitle, children }: FeedProps) {
  const { t } = useTranslation();
  return (
    <Card aria-label={label}>
      <div className="flex items-center justify-between border-b border-line px-5 py-3">
        <h2 className="font-medium">{label}</h2>
        <span role="status">
          <Badge tone={state === "open" ? "good" : "idle"} dot>
            {state === "open" ? t("Live") : state === "connecting" ? t("Connecting") : t("Not connected")}
          </Badge>
        </span>
      </div>
      {events.length === 0 ? (
        <EmptyState level="h3" icon={Radio} title={emptyTitle}>
          {children}
        </EmptyState>
      ) : (
        <ol className="divide-y divide-line/60">
          {events.map((event, index) => (
            <li key={`${event.id} ${index}`} className="px-5 py-3">
              <p className="flex flex-wrap justify-between gap-x-4">
                <code>{event.kind}</code>
                <span className="text-xs text-muted">{timeOf(event)}</span>
              </p>
              <p className="mt-0.5 text-xs wrap-anywhere text-muted">{textOf(event)}</p>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

/** What a reader has no use for: shown elsewhere, or a number of the database. */
const HIDDEN = ["created_at", "time", "audit_id"];

function timeOf({ data: { created_at, time } }: LiveEvent): string | undefined {
  const at = created_at ?? time;
  return at && formatPrecise(at);
}

function textOf({ data }: LiveEvent): string {
  return Object.entries(data)
    .filter(([key]) => !HIDDEN.includes(key))
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" · ");
}
