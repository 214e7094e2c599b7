// Sessions: which browsers are logged in, and out with one.
import { useState } from "preact/hooks";
import { ask, Login } from "./api";
import { exact, t, Word } from "./i18n";
import { may, refresh, useChange, useDoc } from "./state";
import { Command, Link, Sure, Time, Waits } from "./ui";

export function Sessions() {
  const { value, error } = useDoc<Login[]>("/sessions", "stored");
  const c = useChange();
  const [leaving, setLeaving] = useState<Login>();
  return <div class="page"><p><Link to="/settings">{t("settings")}</Link></p><h1>{t("logins")}</h1>
    <section aria-label={t("logins")}>
      {!value ? <Waits error={error} /> : <ul>{value.map((l) => <li key={l.id}><div class="line">
        <b>{l.user ?? t("loginByLink")}</b><span>{t(("role." + l.role) as Word)}</span>
        <span class="dim"><Time at={l.created} /></span><span class="dim">{t("certUntil", { t: exact(l.expires) })}</span>
        {may("users") && <button aria-label={`${t("logOutOne")}: ${l.user ?? t("loginByLink")}, ${l.id}`} onClick={() => { c.clear(); setLeaving(l) }}>{t("logOutOne")}</button>}
      </div></li>)}</ul>}
      <Command text="warren-hub sessions list" /></section>
    {leaving && <Sure text={t("logOutSure", { name: leaving.user ?? t("loginByLink") })} verb={t("logOutOne")} command={`warren-hub sessions end ${leaving.id}`}
      busy={c.busy} error={c.error} onNo={() => setLeaving(undefined)}
      onYes={() => void c.run(async () => { await ask(`/sessions/${leaving.id}/end`, {}); refresh("stored") }).then((ok) => { if (ok) setLeaving(undefined) })} />}
  </div>;
}
