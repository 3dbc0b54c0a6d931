import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const CALL = /\b(?:t|msg)\(\s*("(?:[^"\\]|\\.)*")/g;

/** Every English text of the sources: what `t("…")` and `msg("…")` hold. */
export function textsOf(directory: string): Set<string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  const sources = files.map((name) => readFileSync(join(directory, name), "utf8"));
  return new Set(sources.flatMap((source) => [...source.matchAll(CALL)].map(([, text]) => JSON.parse(text ?? '""') as string)));
}

/** Attributes that people read or hear. */
const READ = new Set(["label", "title", "placeholder", "alt", "aria-label", "hint", "caption", "description", "emptyTitle"]);
const WORD = /\p{L}{2}/u;

/** Words that stand in JSX without `t(…)`, each with its file. */
export function untranslated(directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tsx"));
  return files.flatMap((name) => wordsIn(name, readFileSync(join(directory, name), "utf8")));
}

export function wordsIn(name: string, source: string): string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    const text = ts.isJsxText(node) ? node.text : attributeText(node);
    if (text && WORD.test(text)) found.push(`${name}: ${text.trim()}`);
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  return found;
}

function attributeText(node: ts.Node): string | undefined {
  if (!ts.isJsxAttribute(node) || !node.initializer || !ts.isStringLiteral(node.initializer)) return undefined;
  return READ.has(node.name.getText()) ? node.initializer.text : undefined;
}
