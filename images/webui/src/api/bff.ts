import { requestJson } from "./http";
import type { User } from "./types";

export interface RuntimeConfig {
  environment: "alpha" | "beta" | "production";
  version: string;
  /** Whether the browser holds session cookies; they may have expired. */
  signed_in: boolean;
}

export const fetchConfig = () => requestJson<RuntimeConfig>("/bff/config");
export const fetchSession = async () => (await requestJson<{ user: User }>("/bff/session")).user;
export const logout = () => requestJson<undefined>("/bff/logout", { method: "POST" });

export async function login(email: string, password: string): Promise<User> {
  const json = { email, password };
  return (await requestJson<{ user: User }>("/bff/login", { method: "POST", json })).user;
}
