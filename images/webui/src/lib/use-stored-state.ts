import { useCallback, useState } from "react";
import { readStored, writeStored } from "./storage";

/** A boolean kept in localStorage. */
export function useStoredFlag(key: string, initial: boolean): [boolean, (value: boolean) => void] {
  const [value, setValue] = useState(() => {
    const stored = readStored(key);
    return stored === undefined ? initial : stored === "true";
  });
  const store = useCallback(
    (next: boolean) => {
      setValue(next);
      writeStored(key, String(next));
    },
    [key],
  );
  return [value, store];
}

/** A set of names kept in localStorage, and a switch for one of them. */
export function useStoredSet(key: string): [ReadonlySet<string>, (name: string) => void] {
  const [names, setNames] = useState<ReadonlySet<string>>(() => new Set(readStored(key)?.split("\n").filter(Boolean)));
  const toggle = (name: string) => {
    const next = new Set(names);
    if (!next.delete(name)) next.add(name);
    setNames(next);
    writeStored(key, [...next].join("\n"));
  };
  return [names, toggle];
}
