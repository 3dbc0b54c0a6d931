/** A path inside this application to go to after login; anything that could lead elsewhere becomes `/`. */
export function safePath(value: string | undefined): string {
  if (!value?.startsWith("/") || /^\/[/\\]/.test(value) || value.startsWith("/login")) return "/";
  const url = new URL(value, window.location.origin);
  return url.origin === window.location.origin ? url.pathname + url.search : "/";
}
