// Network: the ways out of it, and how names are resolved in it.
import { useState } from "preact/hooks";
import { ask, Dns, DnsPreview, Route } from "./api";
import { t, Word } from "./i18n";
import { refresh, useChange, useDoc } from "./state";
import { Command, Fault, Field, Link, Mark, quoted, Waits } from "./ui";

const isExit = (p: string) => p === "0.0.0.0/0" || p === "::/0";
function bits(prefix: string): { family: number; v: bigint; n: number } {
  const [addr = "", len = ""] = prefix.split("/");
  if (!addr.includes(":")) return { family: 4, v: addr.split(".").reduce((v, b) => v * 256n + BigInt(b), 0n), n: Number(len) };
  const [head = "", tail] = addr.split("::"), h = head ? head.split(":") : [], l = tail ? tail.split(":") : [];
  const words = tail === undefined ? h : [...h, ...Array<string>(8 - h.length - l.length).fill("0"), ...l];
  return { family: 6, v: words.reduce((v, w) => v * 65536n + BigInt(parseInt(w, 16)), 0n), n: Number(len) };
}
export function overlap(a: string, b: string): boolean {
  const x = bits(a), y = bits(b), n = Math.min(x.n, y.n), all = x.family === 4 ? 32 : 128;
  return x.family === y.family && x.v >> BigInt(all - n) === y.v >> BigInt(all - n);
}

function stateOf(r: Route): { word: Word; kind: "good" | "attention" | "quiet" } {
  return !r.approved ? { word: "routeUnapproved", kind: "attention" } : !r.advertised ? { word: "routeNotOffered", kind: "quiet" } :
    !r.online ? { word: "routeOff", kind: "quiet" } : r.primary ? { word: "routePrimary", kind: "good" } : { word: "routeStandby", kind: "quiet" };
}

function Routes() {
  const { value, error } = useDoc<Route[]>("/routes", "stored", "devices");
  const c = useChange();
  const change = (r: Route) => void c.run(async () => { await ask(`/nodes/${r.node}/routes/${r.approved ? "unapprove" : "approve"}`, { prefixes: [r.prefix] }); refresh("stored", "devices") });
  return <section aria-labelledby="routes"><h2 id="routes">{t("routesTitle")}</h2>
    {!value ? <Waits error={error} /> : !value.length ? <><p>{t("noRoutes")}</p><Command text="sudo warren up --advertise-routes=192.168.1.0/24" /></> :
      <ul>{[...value].sort((a, b) => Number(a.approved) - Number(b.approved)).map((r) => {
        const s = stateOf(r), other = value.find((o) => o.prefix !== r.prefix && !isExit(o.prefix) && !isExit(r.prefix) && overlap(o.prefix, r.prefix));
        return <li key={r.node + r.prefix}><div class="line"><code>{r.prefix}</code>{isExit(r.prefix) && <span>{t("exitNode")}</span>}<Link to={`/devices/${r.node}`}>{r.name}</Link><Mark kind={s.kind}>{t(s.word)}</Mark>
          {other && <Mark kind="attention">{t("overlaps", { who: `${other.prefix} (${other.name})` })}</Mark>}{r.ownPrefix && <Mark kind="trouble">{t("overlaps", { who: r.ownPrefix })}</Mark>}
          <button disabled={c.busy} class={r.approved ? "" : "primary"} onClick={() => change(r)} aria-label={`${t(r.approved ? "unapprove" : "approve")}: ${r.prefix}, ${r.name}`}>{t(r.approved ? "unapprove" : "approve")}</button></div></li>;
      })}</ul>}
    <Fault error={c.error} /><Command text="warren-hub routes list" /></section>;
}

type List = "nameservers" | "split" | "search" | "records";
function DnsList({ what, title, rows, change, busy, named, typed }: {
  what: List; title: Word; rows: { text: string; body: object }[]; busy: boolean; named?: boolean; typed?: boolean; change: (what: List, verb: "add" | "remove", body: object) => Promise<boolean>;
}) {
  const [name, setName] = useState(""), [value, setValue] = useState("");
  const body = { name: named ? name : undefined, type: typed ? (value.includes(":") ? "AAAA" : "A") : undefined, values: value ? value.split(/[\s,]+/) : [] };
  return <><h3>{t(title)}</h3>
    {rows.length ? <ul>{rows.map((r) => <li key={r.text}><div class="line"><code>{r.text}</code><button aria-label={`${t("remove")}: ${r.text}`} disabled={busy} onClick={() => void change(what, "remove", r.body)}>{t("remove")}</button></div></li>)}</ul> : <p class="dim">{t("none")}</p>}
    <form class="cols" onSubmit={(e) => { e.preventDefault(); void change(what, "add", body).then((ok) => { if (ok) { setName(""); setValue("") } }) }}>
      {named && <Field label={`${t(title)}: ${t(typed ? "name" : "suffix")}`} value={name} onInput={setName} placeholder={typed ? "wiki.example.org" : "corp.example.org"} />}
      <Field label={`${t(title)}: ${t("value")}`} value={value} onInput={setValue} placeholder={what === "search" ? "example.org" : "192.0.2.53"} />
      <button disabled={busy || !value || (named && !name)}>{t("add")}</button></form></>;
}

function Names() {
  const { value: d, error } = useDoc<Dns>("/dns", "stored");
  const [name, setName] = useState(""), [src, setSrc] = useState(""), [says, setSays] = useState<DnsPreview>();
  const c = useChange(), look = useChange();
  const change = (what: List, verb: "add" | "remove", body: object) => c.run(async () => { await ask(`/dns/${what}/${verb}`, body); refresh("stored") });
  const flip = (which: string, on: boolean) => void c.run(async () => { await ask(`/dns/switch/${which}/${on ? "on" : "off"}`, {}); refresh("stored") });
  return <section aria-labelledby="dns"><h2 id="dns">{t("dns")}</h2>
    <form class="cols" onSubmit={(e) => { e.preventDefault(); void look.run(async () => setSays(await ask<DnsPreview>("/dns/preview", { name, src: src || undefined }))) }}>
      <Field label={t("dnsPreview")} value={name} onInput={setName} placeholder="nas" /><Field label={t("onDevice")} value={src} onInput={setSrc} /><button class="primary" disabled={look.busy || !name}>{t("askIt")}</button></form>
    <Fault error={look.error} />
    {says && !look.error && <p role="status"><code>{says.name}</code> {t(("ans." + says.answers) as Word, { suffix: says.suffix ?? "" })} <code>{[...(says.addresses ?? []), ...(says.nameservers ?? []).map((n) => n.address)].join(", ")}</code></p>}
    <Command text={`warren-hub dns preview ${quoted(name || "NAME")}`} />
    {!d ? <Waits error={error} /> : <>
      <label class="check"><input type="checkbox" checked={d.magicDNS} disabled={c.busy} onChange={() => flip("magic", !d.magicDNS)} /><span>{t("magic")}: <code>{d.baseDomain}</code></span></label>
      <label class="check"><input type="checkbox" checked={d.overrideLocalDNS} disabled={c.busy} onChange={() => flip("override", !d.overrideLocalDNS)} />{t("override")}</label>
      <Fault error={c.error} />
      {d.notes?.map((n) => <p key={n}><Mark kind="attention">{n}</Mark></p>)}
      <DnsList what="nameservers" title="nameservers" busy={c.busy} change={change} rows={(d.nameservers ?? []).map((n) => ({ text: n.address, body: { values: [n.address] } }))} />
      <DnsList what="split" title="split" named busy={c.busy} change={change} rows={(d.splitDNS ?? []).flatMap((s) => s.nameservers.map((n) => ({ text: `${s.suffix} → ${n.address}`, body: { name: s.suffix, values: [n.address] } })))} />
      <DnsList what="records" title="records" named typed busy={c.busy} change={change} rows={(d.records ?? []).map((r) => ({ text: `${r.name} ${r.type} ${r.value}`, body: { name: r.name, type: r.type, values: [r.value] } }))} />
      <DnsList what="search" title="searchDomains" busy={c.busy} change={change} rows={(d.searchDomains ?? []).map((s) => ({ text: s, body: { values: [s] } }))} />
    </>}
  </section>;
}

export function Network() {
  return <div class="page"><h1>{t("network")}</h1><Routes /><Names /></div>;
}
