import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { Delivery, Webhook, WebhookCreate } from "@/api/types";

const ONE = "/api/v1/webhooks/{webhook_id}";
const PER_PAGE = 20;

export const webhooksQuery = queryOptions({
  queryKey: ["webhooks", "list"],
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/webhooks", { signal })),
});

export interface DeliveriesSearch {
  page?: number;
  state?: Delivery["state"];
}

export const deliveriesQuery = ({ page = 1, state }: DeliveriesSearch) =>
  queryOptions({
    queryKey: ["webhooks", "deliveries", { page, state }],
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
    queryFn: ({ signal }) =>
      bodyOf(api.GET("/api/v1/webhooks/deliveries", { params: { query: { page, per_page: PER_PAGE, state } }, signal })),
  });

const path = (id: number) => ({ params: { path: { webhook_id: id } } });

export const useCreateWebhook = () =>
  useWebhooksMutation((body: WebhookCreate) => bodyOf(api.POST("/api/v1/webhooks", { body })));
export const useUpdateWebhook = ({ id }: Pick<Webhook, "id">) =>
  useWebhooksMutation((body: Partial<WebhookCreate>) => bodyOf(api.PATCH(ONE, { ...path(id), body })));
export const useDeleteWebhook = () => useWebhooksMutation((id: number) => bodyOf(api.DELETE(ONE, path(id))));
export const useReplaceSecret = () =>
  useWebhooksMutation((id: number) => bodyOf(api.POST("/api/v1/webhooks/{webhook_id}/secret", path(id))));
export const useTestWebhook = () =>
  useWebhooksMutation((id: number) => bodyOf(api.POST("/api/v1/webhooks/{webhook_id}/test", path(id))));
export const useRedeliver = () =>
  useWebhooksMutation((id: string) =>
    bodyOf(api.POST("/api/v1/webhooks/deliveries/{delivery_id}/redeliver", { params: { path: { delivery_id: id } } })),
  );

function useWebhooksMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => client.invalidateQueries({ queryKey: ["webhooks"] }) });
}
