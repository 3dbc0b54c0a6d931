/** Read `?tab=`; whether there is such a tab is known where it is drawn. */
export const tabOf = (raw: Record<string, unknown>): { tab?: string } => ({
  tab: typeof raw.tab === "string" ? raw.tab : undefined,
});
