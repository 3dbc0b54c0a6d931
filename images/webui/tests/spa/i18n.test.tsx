import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it } from "vitest";
import { setLanguage, startLanguage } from "@/i18n";
import de from "@/i18n/de.json";
import { formatTime } from "@/lib/format";
import { textsOf, untranslated, wordsIn } from "../texts";
import { openApp, signedInAs } from "./harness";

const PLACEHOLDER = /\{\{\w+\}\}/g;
const catalogue = de as Record<string, string>;

afterEach(() => setLanguage("en"));

describe("the German catalogue", () => {
  const texts = textsOf("src");

  it("translates every text of the sources, and no other", () => {
    expect(texts.size).toBeGreaterThan(100);
    expect(Object.keys(catalogue).sort()).toEqual([...texts].sort());
  });

  it("keeps every placeholder", () => {
    for (const [english, german] of Object.entries(catalogue)) {
      expect([english, german.match(PLACEHOLDER)?.sort()]).toEqual([english, english.match(PLACEHOLDER)?.sort()]);
      expect(german).not.toBe("");
    }
  });
});

describe("a text in JSX", () => {
  // Names and examples, the same in every language.
  const NAMES = [/Triptych$/, /example\.com/, /: admin$/, /: users\.create$/, /: XDP$/, /: CPU$/];

  it("is translated", () => {
    expect(untranslated("src").filter((text) => !NAMES.some((name) => name.test(text)))).toEqual([]);
  });

  it("is found where it is not", () => {
    expect(wordsIn("a.tsx", '<p title="Two words" className="p-4">One{t("Three")}</p>')).toEqual(["a.tsx: Two words", "a.tsx: One"]);
  });
});

describe("language", () => {
  it("changes at once, and is there again after a reload", async () => {
    const user = userEvent.setup();
    openApp("/profile?tab=appearance", signedInAs("viewer"));
    await user.click(await screen.findByRole("radio", { name: "Deutsch" }));
    expect(await screen.findByRole("tab", { name: "Darstellung" })).toBeInTheDocument();
    expect(document.documentElement.lang).toBe("de");
    await setLanguage("en");
    localStorage.setItem("triptych.language", "de");
    await startLanguage();
    expect(document.documentElement.lang).toBe("de");
  });

  it("decides how dates are written", async () => {
    await setLanguage("de");
    expect(formatTime("2026-11-20T10:00:00Z")).toMatch(/^20\.11\.2026/);
  });
});
