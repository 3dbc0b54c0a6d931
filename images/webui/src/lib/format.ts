const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });
const WHOLE = new Intl.NumberFormat("en");
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export const formatCount = (value: number) => WHOLE.format(value);
export const formatCompact = (value: number) => COUNT.format(value);

/** An RFC 3339 time in the reader's zone; the text itself when it is no time. */
export function formatTime(value: string): string {
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? value : DATE.format(time);
}

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(value < 10 && unit > 0 ? 1 : 0))} ${BYTE_UNITS[unit] ?? ""}`;
}

export function formatMilliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
