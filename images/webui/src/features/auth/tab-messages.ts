import { writeStored } from "@/lib/storage";

const KEY = "triptych.session";
const OUT = "out";

/** Tell this browser's other tabs who has signed in here, or without an id that the user signed out. */
export function tellOtherTabs(id?: number): void {
  // The time makes it a change, which is what the other tabs hear of.
  writeStored(KEY, `${id ?? OUT} ${Date.now()}`);
}

/** What another tab told: the id of who signed in there, null for signing out, undefined for anything else. */
export function toldByOtherTab({ key, newValue }: StorageEvent): number | null | undefined {
  if (key !== KEY || !newValue) return undefined;
  const [who] = newValue.split(" ");
  return who === OUT ? null : Number(who);
}
