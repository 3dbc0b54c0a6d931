import ipaddr from "ipaddr.js";
import type { GuardRule } from "@/api/types";

/** Protocols that people name; any other number is shown as it is. */
export const PROTOCOLS: Readonly<Record<number, string>> = { 0: "any", 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6" };

export const protocolName = (number: number) => PROTOCOLS[number] ?? String(number);

/**
 * The canonical form of an IPv4 or IPv6 address or prefix, host bits cleared.
 * @returns undefined when it is none.
 */
export function canonicalPrefix(text: string): string | undefined {
  const [address = "", length, ...more] = text.trim().split("/");
  if (more.length > 0 || address.includes("%") || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined;
  // The four-part form only: "10" and "0x7f.1" are addresses to C libraries, and mistakes to people.
  const isV4 = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isV4 && !ipaddr.IPv6.isValid(address)) return undefined;
  const longest = isV4 ? 32 : 128;
  const bits = length === undefined ? longest : Number(length);
  if (bits > longest) return undefined;
  const family = isV4 ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(`${address}/${bits}`).toString()}/${bits}`;
}

/**
 * Ports as people write them, such as `80, 8000-8080`.
 * @returns undefined when one is no port or a range runs backwards.
 */
export function parsePorts(text: string): GuardRule["ports"] | undefined {
  const ranges: GuardRule["ports"] = [];
  for (const part of text.split(",").map((piece) => piece.trim())) {
    if (part === "") continue;
    const match = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(part);
    if (!match) return undefined;
    const range = { first: Number(match[1]), last: Number(match[2] ?? match[1]) };
    if (range.first > range.last || range.last > 65_535) return undefined;
    ranges.push(range);
  }
  return ranges;
}

export const portsText = (ports: GuardRule["ports"]) =>
  ports.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(", ");
