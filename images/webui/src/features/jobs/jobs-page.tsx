import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListChecks, Play } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { apiAddress } from "@/api/client";
import { ApiError } from "@/api/problem";
import type { Job } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, PageHeader } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { Pagination } from "@/components/ui/pagination";
import { EmptyState, ErrorState } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { Guarded } from "@/features/access/guarded";
import { formatTime } from "@/lib/format";
import { msg } from "@/i18n";
import { isOpen, jobsQuery, useCancelJob } from "./api";
import { StartJobDialog } from "./start-job-dialog";

export const JobsPage = () => (
  <Guarded operation="jobs.list_jobs">
    <Jobs />
  </Guarded>
);

function Jobs() {
  const { t } = useTranslation();
  const { page = 1 } = useSearch({ from: "/signed-in/jobs" });
  const navigate = useNavigate({ from: "/jobs" });
  const jobs = useQuery(jobsQuery(page));
  const columns = useColumns();
  const [starting, setStarting] = useState(false);
  const kinds = jobs.data?.kinds ?? [];
  return (
    <>
      <PageHeader
        title={t("Jobs")}
        actions={
          kinds.length > 0 && (
            <Button variant="primary" onClick={() => setStarting(true)}>
              <Play aria-hidden /> {t("Start a job")}
            </Button>
          )
        }
      >
        {t("Work in the background: what runs, how far it is and how it ended.")}
      </PageHeader>
      <Card className="overflow-hidden">
        {jobs.error ? (
          <ErrorState error={jobs.error} onRetry={() => void jobs.refetch()} />
        ) : (
          <DataTable
            caption={t("Jobs")}
            columns={columns}
            rows={jobs.data?.jobs}
            stale={jobs.isPlaceholderData}
            rowId={({ id }) => id}
            actions={(job) => <JobActions job={job} startable={kinds.includes(job.kind)} />}
            empty={<EmptyState icon={ListChecks} title={t("No jobs yet")} />}
          />
        )}
        {jobs.data && !jobs.error && (
          <Pagination
            {...jobs.data.pagination}
            onPage={(next) => void navigate({ search: next === 1 ? {} : { page: next }, replace: true })}
          />
        )}
      </Card>
      {starting && <StartJobDialog kinds={kinds} onClose={() => setStarting(false)} />}
    </>
  );
}

const STATES: Record<Job["state"], { label: string; tone: Tone }> = {
  queued: { label: msg("Queued"), tone: "idle" },
  running: { label: msg("Running"), tone: "gold" },
  succeeded: { label: msg("Succeeded"), tone: "good" },
  failed: { label: msg("Failed"), tone: "bad" },
  cancelled: { label: msg("Cancelled"), tone: "idle" },
};

function useColumns(): Column<Job>[] {
  const { t } = useTranslation();
  return [
    { id: "kind", header: t("Kind"), cell: (job) => <code>{job.kind}</code> },
    { id: "state", header: t("State"), cell: (job) => <Badge tone={STATES[job.state].tone} dot>{t(STATES[job.state].label)}</Badge> },
    { id: "progress", header: t("Progress"), className: "hidden sm:table-cell min-w-32", cell: (job) => <JobProgress job={job} /> },
    {
      id: "result",
      header: t("Result"),
      className: "hidden lg:table-cell wrap-anywhere",
      cell: ({ error, result }) => error || (result ? resultText(result) : "–"),
    },
    { id: "created_at", header: t("Created"), className: "hidden md:table-cell text-muted", cell: (job) => formatTime(job.created_at) },
  ];
}

const resultText = (result: Record<string, unknown>) =>
  Object.entries(result)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

function JobProgress({ job: { kind, state, progress } }: { job: Job }) {
  const { t } = useTranslation();
  if (progress.total === 0) return state === "running" ? t("Running") : "–";
  const label = t("Progress of {{kind}}", { kind });
  return (
    <span className="flex items-center gap-2 tabular-nums">
      <progress aria-label={label} max={progress.total} value={progress.done} className="h-2 w-20 accent-gold" />
      {progress.done} / {progress.total}
    </span>
  );
}

function JobActions({ job, startable }: { job: Job; startable: boolean }) {
  const { t } = useTranslation();
  const cancel = useCancelJob();
  const failed = (error: Error) =>
    toast(error instanceof ApiError ? error.message : t("Something went wrong on this page."), "bad");
  if (!startable) return null;
  if (job.output) {
    return (
      <a href={apiAddress(job.output)} download className="rounded text-gold underline underline-offset-4">
        {t("Download")}
      </a>
    );
  }
  if (!isOpen(job)) return null;
  return (
    <Button
      disabled={cancel.isPending || job.cancel_requested}
      onClick={() => cancel.mutate(job.id, { onError: failed })}
    >
      {job.cancel_requested ? t("Being cancelled") : t("Cancel job")}
    </Button>
  );
}
