import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { userQuery } from "@/features/users/api";
import { NAVIGATION } from "./navigation";

/** Where the page stands: category, page, and what of it is open. */
export function Breadcrumb() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const root = `/${pathname.split("/")[1] ?? ""}`;
  const group = NAVIGATION.find(({ items }) => items.some(({ to }) => to === root));
  const item = group?.items.find(({ to }) => to === root);
  if (!group || !item) return null;
  const detail = pathname.split("/")[2];
  return (
    <nav aria-label={t("Breadcrumb")} className="min-w-0">
      <ol className="flex min-w-0 items-center gap-1.5 text-sm">
        <li className="hidden text-muted md:block">{t(group.label)}</li>
        <li aria-hidden className="hidden md:block">
          <ChevronRight className="size-3.5 text-muted" />
        </li>
        <li className="truncate font-medium" aria-current={detail ? undefined : "page"}>
          {detail ? (
            <Link to={item.to} className="rounded hover:text-gold">
              {t(item.label)}
            </Link>
          ) : (
            t(item.label)
          )}
        </li>
        {detail && (
          <>
            <li aria-hidden>
              <ChevronRight className="size-3.5 text-muted" />
            </li>
            <li aria-current="page" className="truncate">
              {item.to === "/users" ? <UserName id={detail} /> : detail}
            </li>
          </>
        )}
      </ol>
    </nav>
  );
}

/** The user whose page it is, by what the page itself asks for; the id of one whom it does not find. */
function UserName({ id }: { id: string }) {
  const { data, isFetching } = useQuery({ ...userQuery(Number(id)), enabled: false });
  if (data) return data.full_name || data.email;
  return isFetching ? "…" : id;
}
