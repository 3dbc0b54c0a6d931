const PLACEHOLDER = "__BASE_PATH__";

/** The path below which this installation is served, such as `/triptych`; empty at the root of a host. */
export function basePath(): string {
  const given = document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? "";
  return given === PLACEHOLDER ? "" : given;
}
