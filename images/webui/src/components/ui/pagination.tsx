import { ChevronLeft, ChevronRight } from "lucide-react";
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
  const first = (page - 1) * per_page + 1;
  const last = Math.min(page * per_page, total);
  return (
    <nav aria-label={t("Pages")} className="flex items-center justify-between gap-4 border-t border-line px-5 py-3">
      <p className="text-muted">
        {t("{{first}}–{{last}} of {{total}}", { first: formatCount(first), last: formatCount(last), total: formatCount(total) })}
      </p>
      <div className="flex items-center gap-2">
        <Button size="icon" aria-label={t("Previous page")} disabled={page <= 1} onClick={() => onPage(page - 1)}>
          <ChevronLeft aria-hidden />
        </Button>
        <span className="px-1 tabular-nums">
          {page} / {Math.max(pages, 1)}
        </span>
        <Button size="icon" aria-label={t("Next page")} disabled={page >= pages} onClick={() => onPage(page + 1)}>
          <ChevronRight aria-hidden />
        </Button>
      </div>
    </nav>
  );
}
