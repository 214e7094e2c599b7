// The pieces that pages are made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Refusal } from "./api";
import { ago, exact, t } from "./i18n";

/** Where we are: the address behind /console, which is the whole state of a page. */
export function useRoute(): string[] {
  const [path, set] = useState(location.pathname);
  useEffect(() => {
    const f = () => set(location.pathname);
    addEventListener("popstate", f);
    return () => removeEventListener("popstate", f);
  }, []);
  return path.replace(/^\/console\/?/, "").split("/").filter(Boolean);
}
export function go(path: string, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", "/console" + path);
  dispatchEvent(new PopStateEvent("popstate"));
}
export function Link({ to, children, ...rest }: { to: string; children: ComponentChildren } & JSX.HTMLAttributes<HTMLAnchorElement>) {
  return <a href={"/console" + to} {...rest} onClick={(e) => {
    if (e.metaKey || e.ctrlKey || e.shiftKey || e.button) return;
    e.preventDefault();
    go(to);
  }}>{children}</a>;
}

export function Time({ at }: { at?: string }) {
  return at ? <time dateTime={at} title={exact(at)}>{ago(at)}</time> : <>{t("never")}</>;
}

/** One of three states, told by shape and word as well as by colour. */
export function Mark({ kind, children }: { kind: "good" | "attention" | "trouble" | "quiet"; children: ComponentChildren }) {
  return <span class={"mark " + kind}><svg viewBox="0 0 10 10" aria-hidden="true">
    {kind === "good" ? <circle cx="5" cy="5" r="4" /> : kind === "attention" ? <path d="M5 0 10 9.5H0z" /> :
      kind === "trouble" ? <path d="M1 1h8v8H1z" /> : <circle cx="5" cy="5" r="3" fill="none" stroke="currentColor" stroke-width="1.6" />}
  </svg>{children}</span>;
}

export function Copy({ text, short }: { text: string; short?: boolean }) {
  const [done, set] = useState(false);
  const shown = short && text.length > 26 ? text.slice(0, 16) + "…" + text.slice(-8) : text;
  return <span class="copy"><code tabIndex={short ? 0 : undefined} title={short ? text : undefined}>{shown}</code>
    <button class="plain" aria-label={t("copy") + ": " + text} onClick={async () => {
      try { await navigator.clipboard.writeText(text); set(true); setTimeout(() => set(false), 1500) } catch { /* not over plain HTTP: the text can be selected */ }
    }}>{done ? t("copied") : t("copy")}</button></span>;
}

export const Command = ({ text }: { text: string }) => <div class="command"><Copy text={text} /></div>;

export function Fault({ error }: { error?: Refusal }) {
  return error ? <p class="fault" role="alert"><Mark kind="trouble">{error.status === 0 ? t("noAnswer") : error.message}</Mark></p> : null;
}

/** What is asked before something that can't be undone. */
export function Sure({ text, verb, command, busy, error, onYes, onNo, children }: {
  text: string; verb: string; command?: string; busy: boolean; error?: Refusal; onYes: () => void; onNo: () => void; children?: ComponentChildren;
}) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => { box.current?.showModal() }, []);
  return <dialog ref={box} onCancel={(e) => { e.preventDefault(); onNo() }} aria-label={verb}>
    <p>{text}</p>
    {children}
    {command && <Command text={command} />}
    <Fault error={error} />
    <div class="actions"><button class="danger" disabled={busy} onClick={onYes}>{verb}</button><button onClick={onNo}>{t("cancel")}</button></div>
  </dialog>;
}

export function Waits({ error }: { error?: Refusal }) {
  const [late, set] = useState(false);
  useEffect(() => { const h = setTimeout(() => set(true), 300); return () => clearTimeout(h) }, []);
  return error ? <Fault error={error} /> : late ? <div class="skeleton" role="status" aria-label={t("loading")}><i /><i /><i /></div> : null;
}

export function Field({ label, value, onInput, type = "text", placeholder, list }: {
  label: string; value: string; onInput: (v: string) => void; type?: string; placeholder?: string; list?: string;
}) {
  return <label class="field"><span>{label}</span>
    <input type={type} value={value} placeholder={placeholder} list={list} autocomplete="off" spellcheck={false} onInput={(e) => onInput(e.currentTarget.value)} /></label>;
}

/** A word on a command line, so that a shell reads it as one. */
export const quoted = (s: string) => (/^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'");
