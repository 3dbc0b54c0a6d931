import i18n from "i18next";
import { initReactI18next } from "react-i18next";
import { readStored, writeStored } from "@/lib/storage";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "triptych.language";

// English texts are the keys themselves; only other languages have a catalogue, loaded when chosen.
void i18n.use(initReactI18next).init({
  lng: "en",
  fallbackLng: false,
  resources: {},
  initAsync: false,
  keySeparator: false,
  nsSeparator: false,
  // React escapes what it draws.
  interpolation: { escapeValue: false },
  react: { useSuspense: false },
});

const CATALOGUES: Record<Exclude<Language, "en">, () => Promise<{ default: Record<string, string> }>> = {
  de: () => import("./de.json"),
};

/** Marks a text that is translated where it is drawn, for the test that compares catalogues. */
export const msg = (text: string) => text;

export const language = (): Language => (i18n.language in LANGUAGES ? (i18n.language as Language) : "en");

/** Draw everything in a language from now on, and remember the choice in this browser. */
export async function setLanguage(next: Language): Promise<void> {
  await show(next);
  writeStored(KEY, next);
}

/** The language chosen before, else the browser's, else English. */
export async function startLanguage(): Promise<void> {
  const wanted = [readStored(KEY), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  const known = wanted.find((tag): tag is Language => tag !== undefined && tag in LANGUAGES) ?? "en";
  // A catalogue that cannot be loaded must not keep the page from opening.
  await show(known).catch(() => show("en"));
}

async function show(next: Language): Promise<void> {
  if (next !== "en" && !i18n.hasResourceBundle(next, "translation")) {
    i18n.addResourceBundle(next, "translation", (await CATALOGUES[next]()).default);
  }
  await i18n.changeLanguage(next);
  document.documentElement.lang = next;
}
