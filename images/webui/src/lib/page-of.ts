/** A page beyond the first from the URL's parameters; undefined for the first and for nonsense. */
export function pageOf({ page }: Record<string, unknown>): number | undefined {
  const number = Number(page);
  return Number.isInteger(number) && number > 1 && number <= 1_000_000 ? number : undefined;
}
