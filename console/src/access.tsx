// Access: a question and its answer, the policy with its preview, the keys with which devices join.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Change, Key, Policy, Reach, Refusal, User } from "./api";
import { t } from "./i18n";
import { live, refresh, useChange, useDoc } from "./state";
import { Command, Fault, Field, Link, Mark, quoted, Sure, Time, Waits } from "./ui";

function Question({ policy }: { policy?: string }) {
  const [from, setFrom] = useState(""), [to, setTo] = useState(""), [port, setPort] = useState("22");
  const [answer, setAnswer] = useState<Reach & { src: string; dst: string }>();
  const c = useChange();
  return <section aria-labelledby="can"><h2 id="can">{t("can")}</h2>
    <form class="cols" onSubmit={(e) => {
      e.preventDefault();
      void c.run(async () => setAnswer({ ...(await ask<Reach>("/policy/can", { src: from, dst: to, port: Number(port) || 0, proto: 6, policy })), src: from, dst: `${to}:${port}` }));
    }}>
      <Field label={t("from")} value={from} onInput={setFrom} placeholder="laptop" /><Field label={t("to")} value={to} onInput={setTo} placeholder="nas" />
      <Field label={t("port")} value={port} onInput={setPort} /><button class="primary" disabled={c.busy || !from || !to}>{t("askIt")}</button>
    </form>
    <Fault error={c.error} />
    {answer && !c.error && <p role="status">{answer.allowed ? <Mark kind="good">{answer.rule ? t("yesBy", { rule: answer.rule, line: answer.line ?? 0 }) : t("yesAll")}</Mark> :
      <Mark kind="trouble">{t("no", { src: answer.deniedSrc ?? answer.src, dst: answer.deniedDst ?? answer.dst })}</Mark>}</p>}
    <Command text={`warren-hub policy can ${quoted(from || "SRC")} ${quoted((to || "DST") + ":" + (port || "PORT"))}`} />
  </section>;
}

const EXAMPLE = `{
	// Who may reach what. Members reach their own devices.
	"grants": [
		{ "src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"] },
	],
}
`;

function Place({ error, show }: { error: Refusal; show: (line: number, column: number) => void }) {
  const at = (line: number, column: number) => line ? <button class="plain" onClick={() => show(line, column)}>{t("lineCol", { line, column })}: {t("goThere")}</button> : null;
  return <div role="alert"><p class="fault"><Mark kind="trouble">{error.status === 0 ? t("noAnswer") : error.message}</Mark> {at(error.line, error.column)}</p>
    {error.failures.length > 0 && <><h3>{t("failures")}</h3><ul>{error.failures.map((f, i) => <li key={i}><code>{f.src}</code> {f.text} {at(f.line, f.column)}</li>)}</ul></>}</div>;
}

function Editor({ now }: { now: Policy }) {
  const [text, setText] = useState<string>(), [base, setBase] = useState(now.version);
  const [says, setSays] = useState<string>(), [changes, setChanges] = useState<Change[]>();
  const box = useRef<HTMLTextAreaElement>(null);
  const check = useChange(), act = useChange();
  const shown = text ?? (now.policy || EXAMPLE), dirty = text !== undefined && text !== now.policy;
  useEffect(() => { if (text === undefined) setBase(now.version) }, [now.version, text]);
  useEffect(() => { // errors as one types
    if (text === undefined) return;
    const h = setTimeout(() => void check.run(() => ask("/policy/check", { policy: text })), 500);
    return () => clearTimeout(h);
  }, [text]);
  const show = (line: number, column: number) => {
    const at = shown.split("\n").slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0) + Math.max(0, column - 1);
    box.current?.focus();
    box.current?.setSelectionRange(at, at + 1);
    if (box.current) box.current.scrollTop = Math.max(0, line - 6) * 20;
  };
  const error = act.error ?? check.error;
  return <>
    {!now.version && text === undefined && <p>{t("noPolicy")}</p>}
    {base !== now.version && <p class="fault" role="status"><Mark kind="attention">{t("policyMoved", { n: now.version })}</Mark></p>}
    <textarea ref={box} class="editor" aria-label={t("policy")} spellcheck={false} value={shown}
      onInput={(e) => { setText(e.currentTarget.value); setSays(undefined); setChanges(undefined); act.clear(); check.clear() }} />
    {error ? <Place error={error} show={show} /> : <p role="status">{says ? <Mark kind="good">{says}</Mark> : null}</p>}
    {changes && <div role="status"><p>{changes.length ? t("previewSome", { n: changes.length }) : t("previewNone")}</p>
      {changes.length > 0 && <table><tbody>{changes.slice(0, 200).map((c) => <tr key={c.node}><td><Link to={`/devices/${c.node}`}>{c.name}</Link></td>
        <td>{[c.peersGained && t("gains", { n: c.peersGained }), c.peersLost && t("loses", { n: c.peersLost }), c.filter && t("filterChanges"), c.ssh && t("sshChanges")].filter(Boolean).join(", ")}</td></tr>)}</tbody></table>}</div>}
    <div class="actions">
      <button disabled={act.busy} onClick={() => void act.run(async () => { await ask("/policy/check", { policy: shown }); setSays(t("policyOk")) })}>{t("check")}</button>
      <button disabled={act.busy} onClick={() => void act.run(async () => setChanges(await ask<Change[]>("/policy/preview", { policy: shown })))}>{t("preview")}</button>
      <button class="primary" disabled={act.busy || (!dirty && now.version > 0)} onClick={() => void act.run(async () => {
        const saved = await ask<Policy>("/policy", { policy: shown, ifVersion: base });
        check.clear(); setText(undefined); setBase(saved.version); setChanges(undefined); setSays(t("saved"));
        refresh("policy");
      }).then((ok) => { if (!ok) refresh("policy") })}>{t("save")}</button>
      {dirty && <button onClick={() => { setText(undefined); act.clear(); check.clear(); setChanges(undefined) }}>{t("cancel")}</button>}
    </div>
    <Command text="warren-hub policy preview FILE && warren-hub policy set FILE" />
  </>;
}

function Versions() {
  const { value } = useDoc<Policy[]>("/policy/versions", "policy");
  const c = useChange();
  const [back, setBack] = useState<Policy>();
  if (!value?.length) return null;
  return <details><summary>{t("versions")} ({value.length})</summary><ul>{value.map((v) => <li key={v.version}><div class="line"><b>{v.version}</b>
    <span class="dim"><Time at={v.created} />{v.author ? ", " + t("byWhom", { who: v.author }) : ""}</span>{v.current ? <Mark kind="good">{t("inForce")}</Mark> : <button onClick={() => setBack(v)}>{t("restore")}</button>}</div></li>)}</ul>
    {back && <Sure busy={c.busy} error={c.error} verb={t("restore")} text={`${t("restore")}: ${back.version}`} command={`warren-hub policy rollback ${back.version}`} onNo={() => { setBack(undefined); c.clear() }}
      onYes={() => void c.run(async () => { await ask(`/policy/versions/${back.version}/restore`, {}); refresh("policy") }).then((ok) => { if (ok) setBack(undefined) })} />}</details>;
}

/* ---- keys ---- */

function NewKey({ done }: { done: () => void }) {
  const users = useDoc<User[]>("/users", "stored").value ?? [];
  const [user, setUser] = useState(""), [tags, setTags] = useState(""), [days, setDays] = useState("90");
  const [flags, setFlags] = useState({ reusable: false, ephemeral: false, preapproved: false });
  const [made, setMade] = useState<Key>();
  const c = useChange();
  if (made?.key) return <div class="card" role="status"><p><Mark kind="attention">{t("keyOnce")}</Mark></p><Command text={made.key} />
    <Command text={`sudo warren up --login-server=${live.session?.url ?? ""} --auth-key=${made.key}`} /><button onClick={done}>{t("close")}</button></div>;
  const list = tags.split(/[\s,]+/).filter(Boolean).map((g) => (g.startsWith("tag:") ? g : "tag:" + g));
  return <form onSubmit={(e) => {
    e.preventDefault();
    void c.run(async () => {
      setMade(await ask<Key>("/keys", { user: user || users[0]?.name, tags: list.length ? list : undefined, expiryMs: Number(days) * 86400000, ...flags }));
      refresh("stored");
    });
  }}><div class="cols">
      <label class="field"><span>{t("owner")}</span><select value={user} onChange={(e) => setUser(e.currentTarget.value)}>{users.map((u) => <option key={u.id} value={u.name}>{u.name}</option>)}</select></label>
      <Field label={t("tags")} value={tags} onInput={setTags} placeholder="tag:server" />
      <label class="field"><span>{t("forHow")}</span><select value={days} onChange={(e) => setDays(e.currentTarget.value)}>{[1, 7, 30, 90, 365].map((n) => <option key={n} value={n}>{t("days", { n })}</option>)}</select></label></div>
    {(["reusable", "ephemeral", "preapproved"] as const).map((f) => <label class="check" key={f}><input type="checkbox" checked={flags[f]} onChange={() => setFlags({ ...flags, [f]: !flags[f] })} />{t(f)}</label>)}
    <Fault error={c.error} />
    <div class="actions"><button class="primary" disabled={c.busy}>{t("newKey")}</button><button type="button" onClick={done}>{t("cancel")}</button></div>
  </form>;
}

function Keys() {
  const { value, error } = useDoc<Key[]>("/keys", "stored");
  const [making, setMaking] = useState(false), [gone, setGone] = useState<Key>();
  const c = useChange();
  return <section aria-labelledby="keys"><h2 id="keys">{t("keys")}</h2>
    {!value ? <Waits error={error} /> : value.length ? <ul>{value.map((k) => <li key={k.id}><div class="line"><code>{k.hint}</code>
      <Mark kind={k.state === "valid" ? "good" : "quiet"}>{k.state}</Mark>
      <span class="dim">{[k.tags?.length ? k.tags.join(" ") : k.user, k.reusable && t("reusable"), t("usedTimes", { n: k.used })].filter(Boolean).join(" · ")}{k.expires ? <> · <Time at={k.expires} /></> : null}</span>
      {k.state === "valid" && <button onClick={() => setGone(k)}>{t("revoke")}</button>}</div></li>)}</ul> : <p>{t("noKeys")}</p>}
    {making ? <NewKey done={() => setMaking(false)} /> : <div class="actions"><button class="primary" onClick={() => setMaking(true)}>{t("newKey")}</button></div>}
    <Command text="warren-hub keys create --reusable" />
    {gone && <Sure busy={c.busy} error={c.error} verb={t("revoke")} text={`${t("revoke")}: ${gone.hint}`} command={`warren-hub keys revoke ${gone.id}`} onNo={() => { setGone(undefined); c.clear() }}
      onYes={() => void c.run(async () => { await ask(`/keys/${gone.id}/revoke`, {}); refresh("stored") }).then((ok) => { if (ok) setGone(undefined) })} />}
  </section>;
}

export function Access() {
  const { value, error } = useDoc<Policy>("/policy", "policy");
  return <div class="page"><h1>{t("access")}</h1><Question />
    <section aria-labelledby="policy"><h2 id="policy">{t("policy")}</h2>{value ? <Editor now={value} /> : <Waits error={error} />}<Versions /></section>
    <Keys /></div>;
}
