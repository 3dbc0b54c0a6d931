import { Boxes, Database, Globe, MemoryStick, Server, Zap, type LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { ComponentStatus } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/states";
import { msg } from "@/i18n";
import { formatMilliseconds } from "@/lib/format";

/** `unknown`: nobody could be asked, because the backend that knows is away. */
export type ShownComponent = Omit<ComponentStatus, "status"> & { status: ComponentStatus["status"] | "unknown" };

export const COMPONENT_NAMES = ["webui", "flask-backend", "database", "redis", "go-backend"] as const;

const ICONS: Record<string, LucideIcon> = {
  webui: Globe,
  "flask-backend": Server,
  database: Database,
  redis: MemoryStick,
  "go-backend": Zap,
};

const STATES: Record<ShownComponent["status"], { label: string; tone: Tone }> = {
  healthy: { label: msg("Healthy"), tone: "good" },
  unavailable: { label: msg("Unavailable"), tone: "bad" },
  not_installed: { label: msg("Not installed"), tone: "idle" },
  unknown: { label: msg("Unknown"), tone: "idle" },
};

export function ComponentGrid({ components }: { components: readonly ShownComponent[] }) {
  const { t } = useTranslation();
  return (
    <ul aria-label={t("Components")} className="grid gap-3 sm:grid-cols-2 sm:gap-4 xl:grid-cols-5">
      {components.map((component) => (
        <li key={component.name}>
          <ComponentCard component={component} />
        </li>
      ))}
    </ul>
  );
}

function ComponentCard({ component: { name, status, detail, latency_ms } }: { component: ShownComponent }) {
  const { t } = useTranslation();
  const Icon = ICONS[name] ?? Boxes;
  const { label, tone } = STATES[status];
  const latency = status === "healthy" && latency_ms > 0 ? t("Answers in {{time}}", { time: formatMilliseconds(latency_ms) }) : "";
  const note = detail || latency || t(NOTES[status]);
  return (
    <Card aria-label={name} className="grid h-full grid-cols-[auto_1fr_auto] content-center items-center gap-x-3.5 gap-y-4 p-4 sm:grid-cols-[auto_1fr] sm:content-start">
      <Icon aria-hidden className="size-5 shrink-0 text-gold" />
      <div className="order-last sm:order-none sm:justify-self-end">
        <Badge tone={tone} dot>
          {t(label)}
        </Badge>
      </div>
      <div className="min-w-0 sm:col-span-2">
        <h3 className="font-medium">{name}</h3>
        <p className="mt-0.5 line-clamp-2 text-xs break-words text-muted" title={note}>
          {note}
        </p>
      </div>
    </Card>
  );
}

const NOTES: Record<ShownComponent["status"], string> = {
  healthy: msg("Working"),
  unavailable: msg("Does not answer"),
  not_installed: msg("Not part of this installation"),
  unknown: msg("Waiting for the backend"),
};

export function ComponentGridSkeleton() {
  return (
    <div className="grid gap-3 sm:grid-cols-2 sm:gap-4 xl:grid-cols-5">
      {COMPONENT_NAMES.map((name) => (
        <Skeleton key={name} className="h-18 rounded-xl sm:h-28" />
      ))}
    </div>
  );
}
