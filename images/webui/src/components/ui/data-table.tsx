import { createColumnHelper, rowSortingFeature, tableFeatures, useTable, type RowData } from "@tanstack/react-table";
import { clsx } from "clsx";
import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import { Fragment, useMemo, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Skeleton } from "./states";

export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** The server can sort by it. */
  sortable?: boolean;
  /** Classes of the column's cells, for example to leave it out on narrow screens. */
  className?: string;
}

/** A column's id, with `-` before it for descending. */
export type SortText = string;

interface DataTableProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  /** Undefined while they load. */
  rows: readonly Row[] | undefined;
  rowId: (row: Row) => string;
  /** Shown rows are of the page before, while the next one loads. */
  stale?: boolean;
  sort?: SortText;
  onSort?: (sort: SortText) => void;
  /** What stands at the end of each row. */
  actions?: (row: Row) => ReactNode;
  /** More about a row, below it; null while it is closed. */
  detail?: (row: Row) => ReactNode;
  /** Instead of the table when there is no row. */
  empty: ReactNode;
}

const features = tableFeatures({ rowSortingFeature });
const CELL = "px-2 py-3 first:pl-4 last:pr-3 sm:px-3 sm:first:pl-5 sm:last:pr-5";
const NO_ROWS: never[] = [];

/** A table whose rows the server sorts and pages. */
export function DataTable<Row extends RowData>(props: DataTableProps<Row>) {
  const { caption, columns, rows, rowId, stale = false, sort, onSort, actions, detail, empty } = props;
  const { t } = useTranslation();
  const definitions = useMemo(() => {
    const column = createColumnHelper<typeof features, Row>();
    return columns.map(({ id, header, cell }) => column.display({ id, header, cell: ({ row }) => cell(row.original) }));
  }, [columns]);
  const classes = useMemo(() => new Map(columns.map(({ id, className }) => [id, className])), [columns]);
  const table = useTable({
    features,
    columns: definitions,
    data: (rows as Row[] | undefined) ?? NO_ROWS,
    manualSorting: true,
    getRowId: rowId,
  });

  const width = columns.length + (actions ? 1 : 0);
  if (rows?.length === 0) return empty;
  return (
    // A region that scrolls must be reachable by keyboard. Relative: texts for screen readers, which have absolute
    // positions, scroll with it instead of widening the page.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={caption}>
      <table className={clsx("w-full transition-opacity", stale && "opacity-60")} aria-busy={!rows || stale}>
        <caption className="sr-only">{caption}</caption>
        <thead className="border-b border-line text-xs text-muted">
          <tr>
            {columns.map((column) => (
              <HeaderCell key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
            {actions && (
              <th scope="col" className={CELL}>
                <span className="sr-only">{t("Actions")}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody className="divide-y divide-line/60">
          {!rows && <LoadingRows columns={width} />}
          {table.getRowModel().rows.map((row) => (
            <Fragment key={row.id}>
              <tr className="hover:bg-raised/50">
                {row.getAllCells().map((cell) => (
                  <td key={cell.id} className={clsx(CELL, classes.get(cell.column.id))}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
                {actions && <td className={clsx(CELL, "text-right whitespace-nowrap")}>{actions(row.original)}</td>}
              </tr>
              <DetailRow columns={width}>{detail?.(row.original)}</DetailRow>
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeaderCellProps<Row> {
  column: Column<Row>;
  sort: SortText | undefined;
  onSort: ((sort: SortText) => void) | undefined;
}

function HeaderCell<Row>({ column: { id, header, sortable, className }, sort = "", onSort }: HeaderCellProps<Row>) {
  const sorted = sort.replace(/^-/, "") === id;
  const descending = sort.startsWith("-");
  const Icon = !sorted ? ChevronsUpDown : descending ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      aria-sort={!sorted ? undefined : descending ? "descending" : "ascending"}
      className={clsx(CELL, "text-left font-medium", className)}
    >
      {sortable && onSort ? (
        <button
          type="button"
          className={clsx("inline-flex items-center gap-1 rounded hover:text-ink", sorted && "text-gold hover:text-gold")}
          onClick={() => onSort(sorted && !descending ? `-${id}` : id)}
        >
          {header}
          <Icon aria-hidden className="size-3.5" />
        </button>
      ) : (
        header
      )}
    </th>
  );
}

function DetailRow({ columns, children }: { columns: number; children: ReactNode }) {
  if (!children) return null;
  return (
    <tr className="bg-raised/40">
      <td colSpan={columns} className="px-5 py-4">
        {children}
      </td>
    </tr>
  );
}

function LoadingRows({ columns }: { columns: number }) {
  return Array.from({ length: 5 }, (_, index) => (
    <tr key={index}>
      <td colSpan={columns} className={CELL}>
        <Skeleton className="h-8" />
      </td>
    </tr>
  ));
}
