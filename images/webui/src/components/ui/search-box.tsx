import { Search } from "lucide-react";
import { useEffect, useState } from "react";

const DELAY_MS = 300;

interface SearchBoxProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (text: string) => void;
}

/** A search field that reports what was typed once the typing pauses. */
export function SearchBox({ label, placeholder, value, onChange }: SearchBoxProps) {
  const [text, setText] = useState(value);
  const [reported, setReported] = useState(value);
  if (value !== reported) {
    // The URL changed by itself (back button, cleared search): show what it says.
    setReported(value);
    setText(value);
  }

  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onChange(text.trim()), DELAY_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);

  return (
    <div role="search" className="relative w-full max-w-sm">
      <Search aria-hidden className="absolute top-3 left-3 size-4 text-muted" />
      <input
        type="search"
        aria-label={label}
        placeholder={placeholder}
        maxLength={100}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className="h-10 w-full rounded-lg border border-line bg-surface pr-3 pl-9 placeholder:text-muted hover:border-idle focus:border-gold focus:outline-none"
      />
    </div>
  );
}
