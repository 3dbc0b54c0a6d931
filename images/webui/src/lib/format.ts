import { language } from "@/i18n";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

export const formatCount = (value: number) => numbers("whole", {}).format(value);
export const formatCompact = (value: number) =>
  numbers("compact", { maximumFractionDigits: 1, notation: "compact" }).format(value);

/** An RFC 3339 time in the reader's zone and language; the text itself when it is no time. */
export function formatTime(value: string): string {
  return formatDate(value, "time", { dateStyle: "medium", timeStyle: "short" });
}

/** The same with seconds, for logs. */
export function formatPrecise(value: string): string {
  return formatDate(value, "precise", { dateStyle: "medium", timeStyle: "medium" });
}

export function formatClock(milliseconds: number): string {
  return dates("clock", { timeStyle: "medium" }).format(milliseconds);
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

function formatDate(value: string, name: string, options: Intl.DateTimeFormatOptions): string {
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? value : dates(name, options).format(time);
}

function numbers(name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  return cached(name, (tag) => new Intl.NumberFormat(tag, options));
}

function dates(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  // In English the browser's own region decides how a date is written.
  return cached(name, (tag) => new Intl.DateTimeFormat(tag === "en" ? undefined : tag, options));
}

/** Formatters are slow to make, so each is made once a language. */
function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat>(name: string, make: (tag: string) => T): T {
  const key = `${language()} ${name}`;
  const known = cache.get(key) ?? make(language());
  cache.set(key, known);
  return known as T;
}
