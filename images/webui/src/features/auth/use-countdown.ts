import { useEffect, useState } from "react";
import type { ApiError } from "@/api/problem";

const DEFAULT_WAIT = 5;

/** Whole seconds left of the wait that a throttled request was told; 0 without one. */
export function useCountdown(error: ApiError | null): number {
  const [now, setNow] = useState(0);
  const [started, setStarted] = useState<{ error: ApiError; at: number } | null>(null);

  useEffect(() => {
    if (!error) return;
    const at = Date.now();
    setStarted({ error, at });
    setNow(at);
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [error]);

  if (!error) return 0;
  const wait = error.retryAfter ?? DEFAULT_WAIT;
  const elapsed = started?.error === error ? (now - started.at) / 1000 : 0;
  return Math.max(0, Math.ceil(wait - elapsed));
}
