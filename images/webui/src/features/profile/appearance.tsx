import { useTranslation } from "react-i18next";
import { Card } from "@/components/ui/card";
import { LANGUAGES, language, msg, setLanguage, type Language } from "@/i18n";
import { setTheme, THEMES, useTheme, type Theme } from "@/lib/theme";

const THEME_NAMES: Record<Theme, string> = { dark: msg("Dark"), light: msg("Light"), contrast: msg("High contrast") };

/** Theme and language; kept in this browser. */
export function Appearance() {
  const { t } = useTranslation();
  const theme = useTheme();
  return (
    <Card className="max-w-xl space-y-8 p-6" aria-label={t("Appearance")}>
      <Choice
        name="theme"
        legend={t("Theme")}
        value={theme}
        options={THEMES.map((id) => [id, t(THEME_NAMES[id])])}
        onChange={(id) => setTheme(id as Theme)}
      />
      <Choice
        name="language"
        legend={t("Language")}
        value={language()}
        options={Object.entries(LANGUAGES)}
        onChange={(id) => void setLanguage(id as Language)}
      />
      <p className="text-muted">
        {t("Times are shown in the time zone of this browser: {{zone}}.", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
      </p>
    </Card>
  );
}

interface ChoiceProps {
  name: string;
  legend: string;
  value: string;
  options: readonly (readonly [id: string, label: string])[];
  onChange: (id: string) => void;
}

function Choice({ name, legend, value, options, onChange }: ChoiceProps) {
  return (
    <fieldset>
      <legend className="mb-3 font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-3">
        {options.map(([id, label]) => (
          <label
            key={id}
            className="flex cursor-pointer items-center gap-2.5 rounded-lg border border-line px-3.5 py-2.5 hover:bg-raised has-checked:border-gold has-focus-visible:outline-2 has-focus-visible:outline-gold"
          >
            <input type="radio" name={name} className="accent-gold" checked={value === id} onChange={() => onChange(id)} />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
