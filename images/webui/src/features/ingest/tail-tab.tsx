import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { SelectField } from "@/components/ui/field";
import { ErrorState, Skeleton } from "@/components/ui/states";
import { Feed } from "@/features/events/event-list";
import { useStream } from "@/features/events/use-events";
import { streamsQuery } from "./api";
import { readable } from "./datagram";
import { NoNodes } from "./ingest-nodes";

const KINDS = ["datagram", "loss", "skipped", "error"] as const;

/** Datagrams as they arrive, as many as a person can read. */
export function TailTab() {
  const { t } = useTranslation();
  const { port, hex } = useSearch({ from: "/signed-in/ingest" });
  const navigate = useNavigate({ from: "/ingest" });
  const { data, error, refetch } = useQuery(streamsQuery);
  const ports = new Set(data?.nodes.flatMap(({ streams }) => streams.map((stream) => stream.port)));
  // A port of the URL stays chosen while the list loads.
  if (port) ports.add(port);
  const choose = (text: string) =>
    void navigate({ search: (old) => ({ ...old, port: text ? Number(text) : undefined }), replace: true });
  const show = (text: string) =>
    void navigate({ search: (old) => ({ ...old, hex: text === "hex" || undefined }), replace: true });
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton className="h-60 rounded-xl" />;
  // The backend refuses the stream where no node could feed it.
  if (data.state !== "running") return <NoNodes state={data.state} />;
  return (
    <div className="space-y-4">
      <div className="grid max-w-xl gap-4 sm:grid-cols-2">
        <SelectField label={t("Port")} value={port ?? ""} onChange={(event) => choose(event.target.value)}>
          <option value="">{t("All ports")}</option>
          {[...ports]
            .sort((a, b) => a - b)
            .map((number) => (
              <option key={number}>{number}</option>
            ))}
        </SelectField>
        <SelectField label={t("Payload")} value={hex ? "hex" : "text"} onChange={(event) => show(event.target.value)}>
          <option value="text">{t("As text")}</option>
          <option value="hex">{t("Hexadecimal, as received")}</option>
        </SelectField>
      </div>
      <Tail key={port} port={port} hex={hex ?? false} />
    </div>
  );
}

function Tail({ port, hex }: { port: number | undefined; hex: boolean }) {
  const { t } = useTranslation();
  const stream = useStream(`/api/v1/ingest/tail${port ? `?ports=${port}` : ""}`, KINDS);
  const events = useMemo(() => (hex ? stream.events : stream.events.map(readable)), [hex, stream.events]);
  return (
    <Feed label={t("Live tail")} {...stream} events={events} emptyTitle={t("No datagram yet")}>
      {t("Datagrams appear here as they arrive, while this page is open.")}
    </Feed>
  );
}
