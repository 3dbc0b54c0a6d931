/** The path below which this installation is served, such as `/triptych`; empty at the root of a host. */
export function basePath(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? "";
}
