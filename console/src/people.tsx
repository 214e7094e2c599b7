// People: who they are, what they may do, what is theirs.
import { useState } from "preact/hooks";
import { ask, User } from "./api";
import { t, Word } from "./i18n";
import { go, Command, Fault, Field, quoted, Sure, Time, Waits } from "./ui";
import { refresh, useChange, useDoc } from "./state";

const roles = ["owner", "admin", "network-admin", "it-admin", "billing-admin", "auditor", "member"];

function Person({ u, all }: { u: User; all: User[] }) {
  const c = useChange();
  const [leaving, setLeaving] = useState(false), [heir, setHeir] = useState("");
  const others = all.filter((o) => o.id !== u.id);
  return <li><div class="line"><b>{u.displayName || u.name}</b>{u.displayName && u.displayName !== u.name ? <span class="dim">{u.name}</span> : null}
    <button class="plain" onClick={() => go(`/devices?q=${encodeURIComponent("user:" + u.name)}`)}>{t("userDevices", { n: u.nodes })}</button>
    <label><span class="hidden">{t("role")}: {u.name}</span><select value={u.role} disabled={c.busy} onChange={(e) => {
      const select = e.currentTarget, role = select.value;
      void c.run(async () => { await ask(`/users/${u.id}/role`, { role }); refresh("stored") }).then((ok) => { if (!ok) select.value = u.role });
    }}>{roles.map((r) => <option key={r} value={r}>{t(("role." + r) as Word)}</option>)}</select></label>
    <span class="dim"><Time at={u.created} /></span>
    <button class="danger" onClick={() => setLeaving(true)}>{t("remove")}</button></div>
    {!leaving && <Fault error={c.error} />}
    {leaving && <Sure busy={c.busy} error={c.error} verb={t("remove")} onNo={() => { setLeaving(false); c.clear() }}
      text={u.nodes ? t("leaves", { name: u.name, n: u.nodes, heir: heir || others[0]?.name || "–" }) : t("leavesNothing", { name: u.name })}
      command={`warren-hub users delete ${quoted(u.name)}${u.nodes ? " --move-to " + quoted(heir || others[0]?.name || "USER") : ""}`}
      onYes={() => void c.run(async () => { await ask(`/users/${u.id}/delete`, u.nodes ? { moveTo: heir || others[0]?.name } : {}); refresh("stored", "devices") }).then((ok) => { if (ok) setLeaving(false) })} >
      {u.nodes > 0 && others.length > 1 && <label class="field"><span>{t("asOwner")}</span><select value={heir} onChange={(e) => setHeir(e.currentTarget.value)}>{others.map((o) => <option key={o.id} value={o.name}>{o.name}</option>)}</select></label>}
    </Sure>}
  </li>;
}

export function People() {
  const { value, error } = useDoc<User[]>("/users", "stored", "devices");
  const [name, setName] = useState("");
  const c = useChange();
  return <div class="page"><h1>{t("people")}</h1>
    <section aria-labelledby="users"><h2 id="users">{t("users")}</h2>
      {!value ? <Waits error={error} /> : <ul>{value.map((u) => <Person key={u.id} u={u} all={value} />)}</ul>}
      <form class="cols" onSubmit={(e) => { e.preventDefault(); void c.run(async () => { await ask("/users", { name }); refresh("stored") }).then((ok) => { if (ok) setName("") }) }}>
        <Field label={t("newUser")} value={name} onInput={setName} placeholder="ana@example.org" /><button class="primary" disabled={c.busy || !name}>{t("add")}</button></form>
      <Fault error={c.error} />
      <Command text={`warren-hub users create ${quoted(name || "NAME")}`} />
    </section></div>;
}
