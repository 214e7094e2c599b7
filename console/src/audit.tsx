// The record: who changed what, when, from where; what was before and what is after.
import { useEffect, useState } from "preact/hooks";
import { ask, AuditChange, AuditEntry, AuditPage, Refusal } from "./api";
import { t } from "./i18n";
import { useChange } from "./state";
import { Command, Fault, Field, Link, quoted, Time, Waits } from "./ui";

const DAY = 86400000, spans = [0, 1, 7, 30];
const asked = (text: string, days: number) => ({
  ...(text ? { text } : {}), ...(days ? { since: new Date(Date.now() - days * DAY).toISOString() } : {}),
});

/** From this entry down, until there is one: the hub looks at a bounded part of its record for each answer. */
async function page(what: object, below: number, limit: number): Promise<AuditPage> {
  for (;;) {
    const p: AuditPage = await ask<AuditPage>("/audit/list", { ...what, limit, ...(below ? { below } : {}) });
    if (p.entries?.length || !p.next) return p;
    below = p.next;
  }
}

async function save(what: object) {
  const lines: string[] = [];
  for (let below = 0; ;) {
    const p = await page(what, below, 500);
    for (const e of p.entries ?? []) lines.push(JSON.stringify(e) + "\n");
    if (!p.next) break;
    below = p.next;
  }
  const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" })), a = document.createElement("a");
  a.href = url;
  a.download = "warren-audit.jsonl";
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const shown = (v: unknown) => (v === undefined ? t("none") : typeof v === "string" ? v : JSON.stringify(v));

function Change({ c }: { c: AuditChange }) {
  return <table><caption>{c.kind} {c.name ?? c.id}</caption>
    <thead><tr><th>{t("what")}</th><th>{t("before")}</th><th>{t("after")}</th></tr></thead>
    <tbody>{Object.entries(c.fields ?? {}).map(([k, v]) => <tr key={k}><td>{k}</td><td><code>{shown(v.before)}</code></td><td><code>{shown(v.after)}</code></td></tr>)}</tbody></table>;
}

function Entry({ e }: { e: AuditEntry }) {
  return <li><div class="line"><b>{e.by}</b><code>{e.action}</code><span class="dim"><Time at={e.at} /></span><span class="dim">{e.via}{e.from ? ", " + e.from : ""}</span></div>
    {!!e.changes?.length && <details><summary>{t("changes", { n: e.changes.length + (e.more ?? 0) })}</summary>{e.changes.map((c, i) => <Change key={i} c={c} />)}</details>}</li>;
}

export function Audit() {
  const [text, setText] = useState(""), [days, setDays] = useState(0);
  const [entries, set] = useState<AuditEntry[]>(), [next, setNext] = useState(0), [error, setError] = useState<Refusal>();
  const c = useChange();
  useEffect(() => {
    let gone = false;
    const h = setTimeout(() => void page(asked(text, days), 0, 50).then((p) => {
      if (!gone) { set(p.entries ?? []); setNext(p.next ?? 0); setError(undefined) }
    }, (x) => { if (!gone) setError(x as Refusal) }), text ? 250 : 0);
    return () => { gone = true; clearTimeout(h) };
  }, [text, days]);
  const more = async () => {
    const p = await page(asked(text, days), next, 50);
    set((had) => [...had ?? [], ...p.entries ?? []]);
    setNext(p.next ?? 0);
  };
  return <div class="page"><p><Link to="/settings">{t("settings")}</Link></p><h1>{t("audit")}</h1>
    <section aria-label={t("audit")}>
      <div class="cols"><Field label={t("whoOrWhat")} value={text} onInput={setText} />
        <label class="field"><span>{t("when")}</span><select value={days} onChange={(e) => setDays(Number(e.currentTarget.value))}>
          {spans.map((d) => <option key={d} value={d}>{d ? t("lastDays", { n: d }) : t("all")}</option>)}</select></label>
        <button disabled={c.busy} onClick={() => void c.run(() => save(asked(text, days)))}>{t("export")}</button></div>
      <Fault error={entries ? error ?? c.error : c.error} />
      {!entries ? <Waits error={error} /> : entries.length ? <ul>{entries.map((e) => <Entry key={e.id} e={e} />)}</ul> : <p>{t("nothingFound")}</p>}
      {next > 0 && <button disabled={c.busy} onClick={() => void c.run(more)}>{t("more")}</button>}
      <Command text={"warren-hub audit list" + (text ? " " + quoted(text) : "") + (days ? ` --since ${days}d` : "")} />
    </section></div>;
}
