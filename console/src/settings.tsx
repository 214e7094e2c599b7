// Settings: is the hub healthy, where is it reached, how does this browser look.
import { ask, Status } from "./api";
import { Audit } from "./audit";
import { exact, lasts, t } from "./i18n";
import { Looks } from "./looks";
import { Sessions } from "./sessions";
import { may, useChange, useDoc } from "./state";
import { Command, Copy, Fault, Link, Mark, Waits } from "./ui";

export function Settings({ rest, turn }: { rest: string[]; turn: () => void }) {
  if (rest[0] === "audit" && may("log")) return <Audit />;
  if (rest[0] === "sessions" && may("log")) return <Sessions />;
  return <Overview turn={turn} />;
}

function Overview({ turn }: { turn: () => void }) {
  const { value: s, error } = useDoc<Status>("/status", "devices", "waiting");
  const out = useChange();
  const fault = s?.databaseFault ?? s?.certificateFault;
  return <div class="page"><h1>{t("settings")}</h1>
    <section aria-labelledby="health"><h2 id="health">{t("health")}</h2>
      {!s ? <Waits error={error} /> : <>
        <p>{fault ? <Mark kind="trouble">{fault}</Mark> : s.duplicates ? <Mark kind="attention">{t("duplicate")}</Mark> : <Mark kind="good">{t("healthy")}</Mark>}</p>
        <dl>
          <div><dt>{t("version")}</dt><dd>{t("hubVersion", { v: s.version, t: lasts(s.uptimeSeconds) })}</dd></div>
          <div><dt>{t("reachedAt")}</dt><dd><Copy text={s.url} /></dd></div>
          <div><dt>{t("certificate")}</dt><dd>{s.certificateFault ?? (s.certificateExpires ? t("certUntil", { t: exact(s.certificateExpires) }) : t("certNone"))}</dd></div>
          <div><dt>{t("database")}</dt><dd>{s.databaseFault ?? t("databaseOk")}</dd></div>
          <div><dt>{t("relayHere")}</dt><dd>{s.relay ? `${s.relay}, ${t("clients", { n: s.relayClients })}` : t("off")}</dd></div>
          <div><dt>{t("stunHere")}</dt><dd>{s.stun ?? t("off")}</dd></div>
          <div><dt>{t("sessions")}</dt><dd>{s.online}</dd></div>
        </dl><Command text="warren-hub status --limits" /></>}
    </section>
    {may("log") && <section aria-labelledby="who"><h2 id="who">{t("whoAndWhat")}</h2>
      <p><Link to="/settings/audit">{t("audit")}</Link></p><p><Link to="/settings/sessions">{t("logins")}</Link></p></section>}
    <section aria-labelledby="looks"><h2 id="looks">{t("about")}</h2><div class="cols"><Looks turn={turn} /></div>
      <Fault error={out.error} />
      <button onClick={() => void out.run(async () => { await ask("/logout", {}); location.assign("/console") })}>{t("logout")}</button></section>
  </div>;
}
