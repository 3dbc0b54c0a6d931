import { useQuery } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { IngestNode, IngestStreams } from "@/api/types";
import { Card } from "@/components/ui/card";
import { EmptyState, ErrorState, Skeleton } from "@/components/ui/states";
import { msg } from "@/i18n";
import { streamsQuery } from "./api";

/** A section for every node of the ingest, or why there is none. */
export function IngestNodes({ children }: { children: (node: IngestNode) => ReactNode }) {
  const streams = useQuery(streamsQuery);
  if (streams.error) return <ErrorState error={streams.error} onRetry={() => void streams.refetch()} />;
  if (!streams.data) return <Skeleton className="h-60 rounded-xl" />;
  if (streams.data.nodes.length === 0) return <NoNodes state={streams.data.state} />;
  return (
    <div className="space-y-8">
      {streams.data.nodes.map((node) => (
        <NodeSection key={node.address} node={node}>
          {children(node)}
        </NodeSection>
      ))}
    </div>
  );
}

function NodeSection({ node, children }: { node: IngestNode; children: ReactNode }) {
  const { t } = useTranslation();
  const name = nameOf(node);
  return (
    <section aria-label={t("Node {{name}}", { name })} className="space-y-4">
      <h2 className="text-base font-semibold">{name}</h2>
      {node.error ? <p className="text-muted">{node.error}</p> : children}
    </section>
  );
}

export const nameOf = ({ node, address }: IngestNode) => node || address;

const NOTES: Record<IngestStreams["state"], string> = {
  running: msg("Streams appear here when a node takes datagrams in."),
  unavailable: msg("No fast-path node answers. Streams appear here as soon as one is back."),
  not_installed: msg("The fast path is not installed. Enable the Go backend to take datagrams in."),
};

export function NoNodes({ state }: { state: IngestStreams["state"] }) {
  const { t } = useTranslation();
  return (
    <Card>
      <EmptyState icon={Unplug} title={t("No fast-path node yet")}>
        {t(NOTES[state])}
      </EmptyState>
    </Card>
  );
}
