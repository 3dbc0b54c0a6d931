import { useState } from "react";

interface Polled<T> {
  data: T | undefined;
  /** Milliseconds since the epoch. */
  dataUpdatedAt: number;
}

export interface Moment<T> {
  at: number;
  value: T;
}

/** As long as a page left open remembers. */
const KEPT = 100;

/** What a polled query answered while the component is mounted, the oldest first. */
export function useHistory<T>({ data, dataUpdatedAt }: Polled<T>): readonly Moment<T>[] {
  const [moments, setMoments] = useState<readonly Moment<T>[]>([]);
  if (data !== undefined && moments.at(-1)?.at !== dataUpdatedAt) {
    setMoments([...moments.slice(1 - KEPT), { at: dataUpdatedAt, value: data }]);
  }
  return moments;
}
