import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CALL = /\b(?:t|msg)\(\s*("(?:[^"\\]|\\.)*")/g;

/** Every English text of the sources: what `t("…")` and `msg("…")` hold. */
export function textsOf(directory: string): Set<string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  const sources = files.map((name) => readFileSync(join(directory, name), "utf8"));
  return new Set(sources.flatMap((source) => [...source.matchAll(CALL)].map(([, text]) => JSON.parse(text ?? '""') as string)));
}
