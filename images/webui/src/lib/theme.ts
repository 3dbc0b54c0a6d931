import { useSyncExternalStore } from "react";
import { readStored, writeStored } from "./storage";

export const THEMES = ["dark", "light", "contrast"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "triptych.theme";
const listeners = new Set<() => void>();

const isTheme = (value: unknown): value is Theme => THEMES.includes(value as Theme);

/** The theme in force: the attribute that the tokens of index.css hang on. */
export function currentTheme(): Theme {
  const { theme } = document.documentElement.dataset;
  return isTheme(theme) ? theme : "dark";
}

/** Apply a theme and remember it in this browser. */
export function setTheme(theme: Theme): void {
  show(theme);
  writeStored(KEY, theme);
}

/** Before the first drawing: the theme chosen before, else high contrast where the system asks for it, else dark. */
export function startTheme(): void {
  const stored = readStored(KEY);
  if (isTheme(stored)) return show(stored);
  show(window.matchMedia("(prefers-contrast: more)").matches ? "contrast" : "dark");
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, currentTheme);
}

function show(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
