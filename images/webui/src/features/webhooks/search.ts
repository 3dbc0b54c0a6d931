import type { Delivery } from "@/api/types";
import { pageOf } from "@/lib/page-of";

export const STATES = ["pending", "delivered", "dead"] as const satisfies readonly Delivery["state"][];

/** State of the webhooks page as the URL holds it. */
export interface WebhooksSearch {
  tab?: string;
  page?: number;
  state?: Delivery["state"];
}

export function parseWebhooksSearch(raw: Record<string, unknown>): WebhooksSearch {
  return {
    tab: typeof raw.tab === "string" ? raw.tab : undefined,
    page: pageOf(raw),
    state: STATES.find((state) => state === raw.state),
  };
}
