// Devices: who waits, the list, and one device beside it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, Device, Grant, Route, User, Waiting } from "./api";
import { Word, t } from "./i18n";
import { find, ownerOf, stateOf } from "./search";
import { live, refresh, useChange, useDoc } from "./state";
import { Command, Copy, Fault, Field, go, Link, Mark, quoted, Sure, Time, Waits } from "./ui";

export function StateMark({ d }: { d: Device }) {
  const s = stateOf(d);
  const kind = d.duplicate ? "trouble" : s === "online" ? "good" : s === "offline" ? "quiet" : "attention";
  return <Mark kind={kind}>{t(s)}{s === "offline" && d.lastSeen ? <small>, {<Time at={d.lastSeen} />}</small> : null}</Mark>;
}

/* ---- who waits ---- */

function Review({ w, users }: { w: Waiting; users: User[] }) {
  const [user, setUser] = useState(w.user ?? users[0]?.name ?? "");
  const [grant, setGrant] = useState<Grant>();
  const look = useChange(), act = useChange();
  const fetchGrant = () => void look.run(async () => setGrant(await ask<Grant>("/nodes/waiting", { code: w.code, user: w.node ? undefined : user })));
  useEffect(fetchGrant, [user, w.code]);
  const done = (verb: string, body: object) => act.run(async () => { await ask(verb, body); refresh("waiting", "devices") });
  return <div class="review">
    {!w.node && users.length > 1 && <label class="field"><span>{t("asOwner")}</span>
      <select value={user} onChange={(e) => setUser(e.currentTarget.value)}>{users.map((u) => <option key={u.id} value={u.name}>{u.name}</option>)}</select></label>}
    {grant && <><h3>{t("whatItGets")}</h3><dl>{(grant.lines ?? []).map((l) => <div key={l.label}><dt>{l.label}</dt><dd>{l.value}</dd></div>)}</dl></>}
    <Fault error={look.error ?? act.error} />
    <div class="actions">
      <button class="primary" disabled={!grant || act.busy} onClick={() => void done("/nodes/approve", { code: w.code, digest: grant?.digest, user: w.node ? undefined : user })
        .then((ok) => { if (!ok) fetchGrant() })}>{t("letIn")}</button>
      <button disabled={act.busy} onClick={() => void done("/nodes/reject", { code: w.code })}>{t("reject")}</button>
    </div>
    <Command text={`warren-hub nodes approve ${quoted(w.code)}`} />
  </div>;
}

function WhoWaits() {
  const { value } = useDoc<Waiting[]>("/pending", "waiting", "devices");
  const users = useDoc<User[]>("/users", "stored").value ?? [];
  const [open, setOpen] = useState<string>();
  if (!value?.length) return null;
  return <section class="waiting" aria-labelledby="waits"><h2 id="waits">{t("waitingTitle")}</h2>
    <ul>{value.map((w) => <li key={w.code}>
      <div class="line"><Mark kind="attention"><b>{w.name || w.hostname || w.code}</b></Mark>
        <span class="dim">{[w.os, w.user, w.from].filter(Boolean).join(" · ")} · <Time at={w.created} /></span>
        <button aria-expanded={open === w.code} onClick={() => setOpen(open === w.code ? undefined : w.code)}>{t("review")}</button></div>
      {open === w.code && <Review w={w} users={users} />}
    </li>)}</ul></section>;
}

/* ---- the list ---- */

type Column = "name" | "state" | "address" | "owner" | "system" | "version" | "lastSeen";
const columns: Column[] = ["name", "state", "address", "owner", "system", "version", "lastSeen"];
const key: Record<Column, (d: Device) => string> = {
  name: (d) => d.name, state: stateOf, owner: ownerOf, system: (d) => d.os ?? "", version: (d) => d.clientVersion ?? "",
  address: (d) => d.ipv4.split(".").map((p) => p.padStart(3, "0")).join("."), lastSeen: (d) => (d.online ? "9" : d.lastSeen ?? ""),
};

/** Only the rows that are to be seen are there; the others are room. */
function useWindow(n: number, rowHeight: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [range, set] = useState<[number, number]>([0, 40]);
  useEffect(() => {
    const f = () => {
      const top = ref.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - 10);
      const last = Math.ceil((innerHeight - top) / rowHeight) + 10;
      set((r) => (r[0] === first && r[1] === last ? r : [first, last]));
    };
    f();
    addEventListener("scroll", f, { passive: true });
    addEventListener("resize", f);
    return () => { removeEventListener("scroll", f); removeEventListener("resize", f) };
  }, [n, rowHeight]);
  return { ref, first: Math.min(range[0], n), last: Math.min(range[1], n) };
}

const wide = matchMedia("(min-width: 800px)");
function useWide(): boolean {
  const [is, set] = useState(wide.matches);
  useEffect(() => {
    const f = () => set(wide.matches);
    wide.addEventListener("change", f);
    return () => wide.removeEventListener("change", f);
  }, []);
  return is;
}

function Rows({ list, chosen, choose, open, desk }: {
  list: Device[]; chosen: Set<number>; choose: (id: number) => void; open?: number; desk: boolean;
}) {
  const height = desk ? 40 : 72;
  const w = useWindow(list.length, height);
  const shown = list.slice(w.first, w.last);
  return <div ref={w.ref} role="rowgroup" style={{ paddingTop: w.first * height + "px", paddingBottom: (list.length - w.last) * height + "px" }}>
    {shown.map((d, i) => <div role="row" aria-rowindex={w.first + i + 2} key={d.id} class={"row" + (d.id === open ? " open" : "")}>
      <span role="cell" class="pick"><input type="checkbox" aria-label={t("choose", { name: d.name })} checked={chosen.has(d.id)} onChange={() => choose(d.id)} /></span>
      <span role="cell" class="name"><Link to={`/devices/${d.id}`}>{d.name}</Link></span>
      <span role="cell" class="state"><StateMark d={d} /></span>
      <span role="cell" class="num">{d.ipv4}</span>
      <span role="cell" class="owner" title={ownerOf(d)}>{ownerOf(d)}</span>
      <span role="cell" class="os">{d.os}</span>
      <span role="cell" class="ver num">{(d.clientVersion ?? "").split("-")[0]}</span>
      <span role="cell" class="seen">{d.online ? t("now") : <Time at={d.lastSeen} />}</span>
    </div>)}
  </div>;
}

export function Devices({ id }: { id?: string }) {
  const { value, error } = useDoc<Device[]>("/nodes", "devices", "stored");
  const [query, setQuery] = useState(new URLSearchParams(location.search).get("q") ?? "");
  const [sort, setSort] = useState<{ by: Column; down: boolean }>({ by: "name", down: false });
  const [chosen, setChosen] = useState<Set<number>>(new Set());
  const desk = useWide();
  const list = useMemo(() => {
    const k = key[sort.by], found = find(value ?? [], query).map((d) => [k(d), d] as const);
    found.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1].id - b[1].id) * (sort.down ? -1 : 1));
    return found.map((f) => f[1]);
  }, [value, query, sort]);
  const search = (q: string) => {
    setQuery(q);
    history.replaceState(null, "", location.pathname + (q ? "?q=" + encodeURIComponent(q) : ""));
  };
  const choose = (n: number) => setChosen((old) => { const s = new Set(old); if (!s.delete(n)) s.add(n); return s });
  const one = id === undefined ? undefined : value?.find((d) => String(d.id) === id);
  const on = value?.filter((d) => d.online).length ?? 0;
  return <div class={"pair" + (id ? " has-detail" : "")}>
    <div class="list">
      <h1>{t("devices")}</h1>
      <WhoWaits />
      {!value ? <Waits error={error} /> : !value.length ? <div class="empty"><p>{t("noDevices")}</p><Command text={`sudo warren up --login-server=${live.session?.url ?? ""}`} /></div> : <>
        <div class="tools"><input type="search" id="search" aria-label={t("search")} placeholder={t("searchDevices")} value={query} onInput={(e) => search(e.currentTarget.value)} spellcheck={false} autocomplete="off" /></div>
        <p class="dim" role="status">{query ? t("ofDevices", { n: list.length, all: value.length }) : value.length === 1 ? t("oneDevice", { on }) : t("nDevices", { n: value.length, on })}</p>
        {chosen.size > 0 && <Bulk devices={value.filter((d) => chosen.has(d.id))} done={() => setChosen(new Set())} />}
        <div role="table" class="devices" aria-label={t("devices")} aria-rowcount={list.length + 1}>
          <div role="rowgroup" class="head"><div role="row" class="row"><span role="columnheader" class="pick"><span class="hidden">{t("selected", { n: chosen.size })}</span></span>{columns.map((c) => <span key={c} role="columnheader" class={c === "system" ? "os" : c === "version" ? "ver" : c === "lastSeen" ? "seen" : c}
            aria-sort={sort.by === c ? (sort.down ? "descending" : "ascending") : "none"}>
            <button class="plain" onClick={() => setSort({ by: c, down: sort.by === c && !sort.down })}>{t(c as Word)}{sort.by === c ? (sort.down ? " ↓" : " ↑") : ""}</button></span>)}</div></div>
          {list.length ? <Rows list={list} chosen={chosen} choose={choose} open={one?.id} desk={desk && !id} /> : null}
        </div>
        {!list.length && <p>{t("nothingFound")}</p>}
      </>}
    </div>
    {id && value && <aside class="detail">{one ? <Detail key={one.id} d={one} /> : <><p>{t("noDevice")}</p><Link to="/devices">{t("back")}</Link></>}</aside>}
  </div>;
}

/* ---- several at once ---- */

function Bulk({ devices, done }: { devices: Device[]; done: () => void }) {
  const [what, setWhat] = useState<"delete" | "expire">();
  const c = useChange();
  const run = () => void c.run(async () => {
    for (const d of devices) await ask(`/nodes/${d.id}/${what}`, {});
    refresh("devices", "stored");
    done();
  });
  const names = devices[0]?.name ?? "", n = devices.length;
  return <div class="bulk" role="region" aria-label={t("selected", { n })}><b>{t("selected", { n })}</b>
    <button onClick={() => setWhat("expire")}>{t("expireNow")}</button><button class="danger" onClick={() => setWhat("delete")}>{t("remove")}</button>
    <button class="plain" onClick={done}>{t("clearChoice")}</button>
    {what && <Sure busy={c.busy} error={c.error} verb={t(what === "delete" ? "remove" : "expireNow")} onYes={run} onNo={() => { setWhat(undefined); c.clear() }}
      text={t(what === "delete" ? (n > 1 ? "removeManySure" : "removeSure") : n > 1 ? "expireManySure" : "expireSure", { names, n })} />}
  </div>;
}

/* ---- one device ---- */

function Detail({ d }: { d: Device }) {
  const routes = (useDoc<Route[]>("/routes", "stored", "devices").value ?? []).filter((r) => r.node === d.id);
  const [name, setName] = useState<string>(), [tags, setTags] = useState<string>();
  const [what, setWhat] = useState<"delete" | "expire">();
  const c = useChange();
  const change = (verb: string, body: object) => c.run(async () => { await ask(`/nodes/${d.id}/${verb}`, body); refresh("devices", "stored") });
  const word = quoted(d.name);
  const row = (label: Word, content: unknown) => <div><dt>{t(label)}</dt><dd>{content as never}</dd></div>;
  return <>
    <Link to="/devices" class="back">{t("back")}</Link>
    <h2>{d.name}</h2>
    <p><StateMark d={d} /></p>
    {d.duplicate && <p class="fault"><Mark kind="trouble">{t("duplicate")}</Mark></p>}
    <dl>
      {row("addresses", <><Copy text={d.ipv4} /><br /><Copy text={d.ipv6} /><br /><Copy text={d.fqdn.replace(/\.$/, "")} /></>)}
      {row("owner", ownerOf(d))}
      {row("system", [d.os, d.clientVersion].filter(Boolean).join(", "))}
      {row("hostname", d.hostname)}
      {row("created", <Time at={d.created} />)}
      {row("expires", d.keyExpiry ? <Time at={d.keyExpiry} /> : t("never"))}
      {row("relay", d.homeDERP ? t("relayN", { n: d.homeDERP }) : t("none"))}
      {row("endpoints", d.endpoints?.length ? <span class="num">{d.endpoints.join(", ")}</span> : t("none"))}
      {routes.length > 0 && row("routes", <ul>{routes.map((r) => <li key={r.prefix}><code>{r.prefix}</code></li>)}</ul>)}
      {row("keysOfDevice", <Copy text={d.nodeKey} short />)}
    </dl>
    <Fault error={what ? undefined : c.error} />
    {name !== undefined ? <form class="inline" onSubmit={(e) => { e.preventDefault(); void change("rename", { name }).then((ok) => { if (ok) setName(undefined) }) }}>
      <Field label={t("name")} value={name} onInput={setName} />
      <div class="actions"><button class="primary" disabled={c.busy}>{t("save")}</button><button type="button" onClick={() => { setName(undefined); c.clear() }}>{t("cancel")}</button></div>
      <Command text={`warren-hub nodes rename ${word} ${quoted(name)}`} /></form> : tags !== undefined ? <form class="inline" onSubmit={(e) => {
      e.preventDefault();
      void change("tag", { tags: tags.split(/[\s,]+/).filter(Boolean).map((g) => (g.startsWith("tag:") ? g : "tag:" + g)) }).then((ok) => { if (ok) setTags(undefined) });
    }}><Field label={t("tags")} value={tags} onInput={setTags} placeholder="tag:server" />
      <div class="actions"><button class="primary" disabled={c.busy}>{t("save")}</button><button type="button" onClick={() => { setTags(undefined); c.clear() }}>{t("cancel")}</button></div></form> :
      <div class="actions"><button onClick={() => setName(d.name)}>{t("rename")}</button><button onClick={() => setTags((d.tags ?? []).join(" "))}>{t("setTags")}</button>
        {d.keyExpiry && <button disabled={c.busy} onClick={() => void change("expire", { expiryMs: -1 })}>{t("keepKey")}</button>}
        <button onClick={() => setWhat("expire")}>{t("expireNow")}</button><button class="danger" onClick={() => setWhat("delete")}>{t("remove")}</button></div>}
    {what && <Sure busy={c.busy} error={c.error} verb={t(what === "delete" ? "remove" : "expireNow")} text={t(what === "delete" ? "removeSure" : "expireSure", { names: d.name })}
      command={`warren-hub nodes ${what} ${word}`} onNo={() => { setWhat(undefined); c.clear() }}
      onYes={() => void change(what, {}).then((ok) => { if (ok) { if (what === "delete") go("/devices", true); else setWhat(undefined) } })} />}
  </>;
}
