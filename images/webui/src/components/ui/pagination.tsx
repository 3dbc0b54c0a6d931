import { ChevronFirst, ChevronLast, ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { formatCount } from "@/lib/format";
import { Button } from "./button";

interface PaginationProps {
  page: number;
  per_page: number;
  total: number;
  pages: number;
  onPage: (page: number) => void;
}

export function Pagination({ page, per_page, total, pages, onPage }: PaginationProps) {
  const { t } = useTranslation();
  if (total === 0) return null;
  const end = Math.max(pages, 1);
  // Behind the end there is nothing, for example once the only row of the last page was deleted.
  const last = Math.min(page * per_page, total);
  const first = Math.min((page - 1) * per_page + 1, last);
  return (
    <nav aria-label={t("Pages")} className="flex items-center justify-between gap-4 border-t border-line px-5 py-3">
      <p className="text-muted">
        {t("{{first}}–{{last}} of {{total}}", { first: formatCount(first), last: formatCount(last), total: formatCount(total) })}
      </p>
      <div className="flex items-center gap-2">
        <Button size="icon" className="max-sm:hidden" aria-label={t("First page")} disabled={page <= 1} onClick={() => onPage(1)}>
          <ChevronFirst aria-hidden />
        </Button>
        <Button size="icon" aria-label={t("Previous page")} disabled={page <= 1} onClick={() => onPage(Math.min(page - 1, end))}>
          <ChevronLeft aria-hidden />
        </Button>
        <span className="px-1 tabular-nums">
          {page} / {end}
        </span>
        <Button size="icon" aria-label={t("Next page")} disabled={page >= pages} onClick={() => onPage(page + 1)}>
          <ChevronRight aria-hidden />
        </Button>
        <Button size="icon" className="max-sm:hidden" aria-label={t("Last page")} disabled={page >= pages} onClick={() => onPage(end)}>
          <ChevronLast aria-hidden />
        </Button>
      </div>
    </nav>
  );
}
