import { ChevronLeft, ChevronRight } from "lucide-react";
import { Button } from "@/components/ui/button";

interface PaginationProps {
  page: number;
  per_page: number;
  total: number;
  pages: number;
  onPage: (page: number) => void;
}

export function Pagination({ page, per_page, total, pages, onPage }: PaginationProps) {
  if (total === 0) return null;
  const first = (page - 1) * per_page + 1;
  const last = Math.min(page * per_page, total);
  return (
    <nav aria-label="Pages" className="flex items-center justify-between gap-4 border-t border-line px-5 py-3">
      <p className="text-muted">
        {first}–{last} of {total}
      </p>
      <div className="flex items-center gap-2">
        <Button size="icon" aria-label="Previous page" disabled={page <= 1} onClick={() => onPage(page - 1)}>
          <ChevronLeft aria-hidden />
        </Button>
        <span className="px-1 tabular-nums">
          {page} / {Math.max(pages, 1)}
        </span>
        <Button size="icon" aria-label="Next page" disabled={page >= pages} onClick={() => onPage(page + 1)}>
          <ChevronRight aria-hidden />
        </Button>
      </div>
    </nav>
  );
}
