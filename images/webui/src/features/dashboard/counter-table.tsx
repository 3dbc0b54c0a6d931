import { useTranslation } from "react-i18next";
import { formatBytes, formatCompact, formatCount } from "@/lib/format";
import type { CounterRate } from "./status";

const NUMBER = "px-3 py-2.5 text-right tabular-nums last:pr-5";

/** Packets and bytes by protocol, total and per second. */
export function CounterTable({ counters }: { counters: readonly CounterRate[] }) {
  const { t } = useTranslation();
  if (counters.length === 0) return <p className="border-t border-line px-5 py-4 text-muted">{t("No traffic counted yet.")}</p>;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
    <div tabIndex={0} role="group" aria-label={t("Traffic by protocol")} className="overflow-x-auto border-t border-line">
      <table className="w-full">
        <caption className="sr-only">{t("Traffic by protocol")}</caption>
        <thead className="text-xs text-muted">
          <tr>
            <th scope="col" className="px-5 py-2.5 text-left font-medium">
              {t("Protocol")}
            </th>
            <th scope="col" className={`${NUMBER} font-medium`}>
              {t("Packets")}
            </th>
            <th scope="col" className={`${NUMBER} hidden font-medium sm:table-cell`}>
              {t("Bytes")}
            </th>
            <th scope="col" className={`${NUMBER} font-medium`}>
              {t("Packets/s")}
            </th>
            <th scope="col" className={`${NUMBER} font-medium`}>
              {t("Bytes/s")}
            </th>
          </tr>
        </thead>
        <tbody>
          {counters.map((counter) => (
            <tr key={counter.protocol} className="border-t border-line/60">
              <th scope="row" className="px-5 py-2.5 text-left font-normal uppercase">
                {counter.protocol}
              </th>
              <td className={NUMBER}>{formatCount(counter.packets)}</td>
              <td className={`${NUMBER} hidden sm:table-cell`}>{formatBytes(counter.bytes)}</td>
              <td className={`${NUMBER} text-gold`}>{rate(counter.packetsPerSecond, formatCompact)}</td>
              <td className={`${NUMBER} text-gold`}>{rate(counter.bytesPerSecond, formatBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function rate(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? "–" : format(value);
}
