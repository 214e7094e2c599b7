// What the hub says and is asked: the documents of src/hub/admin/admin_json.h.

export interface Session { csrf: string; version: string; url: string; baseDomain: string; tailnetID: string; user?: string; role: string; rights: string[] }
export interface Device {
  id: number; name: string; fqdn: string; hostname: string; namePinned: boolean; user?: string; ipv4: string; ipv6: string;
  online: boolean; duplicate?: boolean; lastSeen?: string; expired: boolean; keyExpiry?: string; ephemeral: boolean; approved: boolean;
  tags: string[] | null; os: string; clientVersion: string; homeDERP: number; endpoints: string[] | null; created: string;
  nodeKey: string; machineKey: string;
}
export interface News { changes: number; total: number; all: boolean; nodes: Device[] | null }
export interface Waiting {
  code: string; node?: number; name?: string; user?: string; hostname: string; os: string; from?: string; tags: string[] | null;
  created: string;
}
export interface Grant { code: string; node?: number; digest: string; lines: { label: string; value: string }[] | null }
export interface User { id: number; name: string; displayName?: string; role: string; nodes: number; keys: number; created: string }
export interface Key {
  id: number; key?: string; hint: string; user?: string; state: string; reusable: boolean; ephemeral: boolean; preapproved: boolean;
  tags: string[] | null; used: number; created: string; expires?: string;
}
export interface Route {
  node: number; name: string; prefix: string; advertised: boolean; approved: boolean; inUse: boolean; primary: boolean; online: boolean;
  quarantined: boolean; ownPrefix?: string; approvedBy?: string;
}
export interface Dns {
  baseDomain: string; magicDNS: boolean; overrideLocalDNS: boolean; wildcard: boolean; certificates: boolean;
  nameservers: { address: string }[] | null; splitDNS: { suffix: string; nameservers: { address: string }[] }[] | null;
  searchDomains: string[] | null; records: { name: string; type: string; value: string }[] | null; notes: string[] | null;
}
export interface DnsPreview {
  name: string; answers: string; suffix?: string; device?: string; hidden?: boolean; addresses?: string[] | null;
  nameservers?: { address: string }[] | null;
}
export interface Policy { version: number; author?: string; created?: string; size: number; current: boolean; policy?: string }
export interface Change { node: number; name: string; filter: boolean; ssh: boolean; peersGained: number; peersLost: number }
export interface Reach { allowed: boolean; rule?: string; line?: number; deniedSrc?: string; deniedDst?: string }
export interface Status {
  version: string; url: string; baseDomain: string; relay?: string; stun?: string; certificateExpires?: string; certificateFault?: string;
  databaseFault?: string; uptimeSeconds: number; nodes: number; online: number; duplicates?: number; users: number; keys: number;
  pending: number; sessions: number; relayClients: number;
}
export interface Login { id: number; user?: string; role: string; created: string; expires: string }
export interface AuditChange { kind: string; id: number; name?: string; fields?: Record<string, { before?: unknown; after?: unknown }> }
export interface AuditEntry { id: number; at: string; by: string; via: string; from?: string; action: string; changes: AuditChange[] | null; more?: number }
export interface AuditPage { entries: AuditEntry[] | null; next?: number }
export interface Failure { src: string; text: string; line: number; column: number }

/** What the hub says when it refuses, in its own words, with the place in a policy. */
export class Refusal extends Error {
  constructor(readonly status: number, text: string, readonly line = 0, readonly column = 0, readonly failures: Failure[] = []) { super(text) }
}

let csrf = "";
export const setToken = (t: string) => { csrf = t };

export async function ask<T>(path: string, body?: unknown): Promise<T> {
  let r: Response;
  try {
    r = await fetch("/console/api" + path, body === undefined ? { credentials: "same-origin" } : {
      method: "POST", credentials: "same-origin", body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    });
  } catch {
    throw new Refusal(0, "");
  }
  const text = await r.text();
  let doc: Record<string, unknown> = {};
  try { doc = JSON.parse(text) } catch { /* a line of text */ }
  if (!r.ok)
    throw new Refusal(r.status, (doc.error as string) ?? text.trim(), (doc.line as number) ?? 0, (doc.column as number) ?? 0,
      (doc.failures as Failure[] | null) ?? []);
  return doc as T;
}
