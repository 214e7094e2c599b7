// What is known of the hub, kept fresh while a page is open.
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { ask, Device, News, Refusal, Session, setToken } from "./api";

type Kind = "devices" | "waiting" | "policy" | "stored";
interface Entry { value?: unknown; error?: Refusal; kinds: Kind[]; fetched: number; took: number; busy: boolean; again: boolean; timer?: number; readers: number }

const entries = new Map<string, Entry>();
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((f) => f());

export const live: { online: boolean; session?: Session; loggedOut: boolean } = { online: true, loggedOut: false };

// Of the devices only those are asked for that have changed; where one has gone, and once a minute, all of them.
let changes = 0, whole = 0;
async function freshDevices(have?: Device[]): Promise<Device[]> {
  const news = await ask<News>("/nodes/changed", { changes: have && Date.now() - whole < 60000 ? changes : 0 });
  if (news.all) whole = Date.now();
  const by = new Map((news.all ? [] : have ?? []).map((d) => [d.id, d]));
  for (const d of news.nodes ?? []) by.set(d.id, d);
  if (by.size !== news.total && !news.all) return freshDevices();
  changes = news.changes;
  return [...by.values()];
}

async function load(path: string, e: Entry) {
  if (e.busy) { e.again = true; return }
  e.busy = true;
  const begun = performance.now();
  try {
    e.value = path === "/nodes" ? await freshDevices(e.value as Device[] | undefined) : await ask(path);
    e.error = undefined;
    live.online = true;
  } catch (x) {
    e.error = x as Refusal;
    if (e.error.status === 401) live.loggedOut = true;
    if (e.error.status === 0) live.online = false;
  }
  e.took = performance.now() - begun;
  e.fetched = Date.now();
  e.busy = false;
  tell();
  if (e.again) { e.again = false; later(path, e) }
}

// A long list costs more, so it is asked for less often: for changes of 1,000 devices every 5 s at most.
function later(path: string, e: Entry) {
  if (e.timer || document.hidden) return; // who comes back to the page loads it anew
  const rows = Array.isArray(e.value) ? e.value.length : 0;
  const wait = Math.max(0, e.fetched + Math.max(1000, rows * 5) - Date.now());
  e.timer = window.setTimeout(() => { e.timer = undefined; void load(path, e) }, wait);
}

/** A document of the hub; undefined until it is there. Asked again when something of these kinds has changed. */
export function useDoc<T>(path: string, ...kinds: Kind[]): { value?: T; error?: Refusal } {
  const [, turn] = useReducer((n: number) => n + 1, 0);
  let e = entries.get(path);
  if (!e) entries.set(path, e = { kinds, fetched: 0, took: 0, busy: false, again: false, readers: 0 });
  const entry = e;
  useLayoutEffect(() => {
    const f = () => turn(undefined as never);
    listeners.add(f);
    entry.readers++;
    if (Date.now() - entry.fetched > 2000) void load(path, entry);
    return () => { listeners.delete(f); entry.readers-- };
  }, [path]);
  return { value: e.value as T | undefined, error: e.error };
}

/** After a change of ours: what depends on it is asked for at once. */
export function refresh(...kinds: Kind[]) {
  entries.forEach((e, path) => {
    if (!e.kinds.some((k) => kinds.includes(k))) return;
    if (e.readers) void load(path, e); else e.fetched = 0;
  });
}

/** Whether who is logged in here may do this; the hub says so once, and refuses what it did not name. */
export const may = (right: string) => live.session?.rights.includes(right) ?? false;

export function useLive() {
  const [, turn] = useState(0);
  // Before anything else can happen: an effect runs after the next picture, and a quick hub has answered by then.
  useLayoutEffect(() => {
    const f = () => turn((n) => n + 1);
    listeners.add(f);
    return () => { listeners.delete(f) };
  }, []);
  return live;
}

export async function begin(): Promise<void> {
  try {
    live.session = await ask<Session>("/session");
    setToken(live.session.csrf);
  } catch (x) {
    if ((x as Refusal).status === 401) live.loggedOut = true; else live.online = false;
    tell();
    if (!live.loggedOut) window.setTimeout(() => void begin(), 3000);
    return;
  }
  tell();
  listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { events?.close(); events = undefined; return } // nobody looks: the hub tells nothing
    listen();
    entries.forEach((e, p) => { if (e.readers) void load(p, e); else e.fetched = 0 });
  });
}

let events: EventSource | undefined;
function listen() {
  const source = events = new EventSource("/console/api/events");
  source.addEventListener("changed", (ev) => {
    const kinds = (ev as MessageEvent<string>).data.trim().split(" ");
    entries.forEach((e, path) => {
      if (!e.kinds.some((k) => kinds.includes(k))) return;
      if (e.readers) later(path, e); else e.fetched = 0;
    });
  });
  source.onopen = () => {
    if (!live.online) { live.online = true; entries.forEach((e, p) => { if (e.readers) void load(p, e) }) }
    tell();
  };
  source.onerror = () => { // it comes back by itself, unless the hub refused it
    if (source.readyState !== EventSource.CLOSED || source !== events) { void alive(); return }
    events = undefined;
    window.setTimeout(() => { if (!document.hidden && !events) listen() }, 5000);
    void alive();
  };
}

/** The stream broke off: is the hub away, or are we logged out? */
async function alive() {
  try { await ask("/session"); live.online = true } catch (x) {
    if ((x as Refusal).status === 401) live.loggedOut = true; else live.online = false;
  }
  tell();
}

/** Runs a change and says how it went; what was typed stays where it is. */
export function useChange(): { busy: boolean; error?: Refusal; run: (f: () => Promise<unknown>) => Promise<boolean>; clear: () => void } {
  const [state, set] = useState<{ busy: boolean; error?: Refusal }>({ busy: false });
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false }, []);
  return {
    ...state,
    clear: () => set({ busy: false }),
    run: async (f) => {
      set({ busy: true });
      try {
        await f();
        if (alive.current) set({ busy: false });
        return true;
      } catch (x) {
        if (!(x instanceof Refusal)) throw x;
        if (x.status === 401) { live.loggedOut = true; tell() }
        if (alive.current) set({ busy: false, error: x });
        return false;
      }
    },
  };
}
