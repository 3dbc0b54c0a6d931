import { z } from "zod";

export const SORTABLE = ["email", "full_name", "role", "created_at"] as const;
export type SortColumn = (typeof SORTABLE)[number];
export const PER_PAGE = 20;

const sortSchema = z.templateLiteral([z.enum(["", "-"]), z.enum(SORTABLE)]);

/** State of the users table as the URL holds it; what is wrong falls back to the default. */
export const usersSearchSchema = z.object({
  page: z.number().int().min(1).optional().catch(undefined),
  search: z.coerce.string().max(100).optional().catch(undefined),
  /** A column, with `-` before it for descending. */
  sort: sortSchema.optional().catch(undefined),
});

export type UsersSearch = z.infer<typeof usersSearchSchema>;

export function sortOf(sort: UsersSearch["sort"]): { id: SortColumn; desc: boolean } {
  const text = sort ?? "email";
  return { id: text.replace(/^-/, "") as SortColumn, desc: text.startsWith("-") };
}

export function sortText(column: SortColumn, desc: boolean): UsersSearch["sort"] {
  return desc ? `-${column}` : column;
}
