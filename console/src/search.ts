// Search with words: "laptop online:no os:ios tag:nas user:ana expires:<7d version:1.80".
import type { Device } from "./api";

const DAY = 86400000;
const units: Record<string, number> = { m: 60000, h: 3600000, d: DAY, w: 7 * DAY, y: 365 * DAY };

export function stateOf(d: Device): "waiting" | "expired" | "online" | "offline" {
  return !d.approved ? "waiting" : d.expired ? "expired" : d.online ? "online" : "offline";
}
export const ownerOf = (d: Device) => d.tags?.length ? d.tags.join(" ") : d.user ?? "";

function span(word: string): ((ms: number) => boolean) | undefined {
  const m = /^([<>]?)(\d+)([mhdwy])$/.exec(word);
  if (!m) return undefined;
  const limit = Number(m[2]) * (units[m[3] ?? "d"] ?? DAY);
  return m[1] === ">" ? (ms) => ms > limit : (ms) => ms <= limit;
}

function test(key: string, value: string, now: number): (d: Device) => boolean {
  const yes = /^(y|yes|ja|true|1)$/.test(value);
  const has = (s?: string) => (s ?? "").toLowerCase().includes(value);
  const fits = span(value);
  switch (key) {
    case "online": return (d) => d.online === yes;
    case "state": return (d) => stateOf(d) === value;
    case "os": return (d) => has(d.os);
    case "user": return (d) => !d.tags?.length && has(d.user);
    case "tag": return (d) => !!d.tags?.some((t) => t.toLowerCase().includes(value));
    case "version": return (d) => has(d.clientVersion);
    case "ip": return (d) => has(d.ipv4) || has(d.ipv6);
    case "ephemeral": return (d) => d.ephemeral === yes;
    case "expires": return (d) => !!d.keyExpiry && !!fits && fits(Date.parse(d.keyExpiry) - now);
    case "seen": return (d) => d.online ? !!fits?.(0) : !!d.lastSeen && !!fits && fits(now - Date.parse(d.lastSeen));
    default: return (d) => has(text(d)) || text(d).includes(`${key}:${value}`);
  }
}

const text = (d: Device) => `${d.name} ${d.hostname} ${d.user ?? ""} ${d.tags?.join(" ") ?? ""} ${d.os} ${d.ipv4} ${d.ipv6}`.toLowerCase();

export function find(list: Device[], query: string, now = Date.now()): Device[] {
  const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map((w) => {
    const at = w.indexOf(":");
    return at > 0 && at < w.length - 1 ? test(w.slice(0, at), w.slice(at + 1), now) : (d: Device) => text(d).includes(w);
  });
  return tests.length ? list.filter((d) => tests.every((t) => t(d))) : list;
}
