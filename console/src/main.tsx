// The shell: rail or bottom bar, the pages by their addresses, the palette, notices.
import "./style.css";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Device } from "./api";
import { Devices } from "./devices";
import { Word, remember, t } from "./i18n";
import { pages } from "./pages";
import { begin, useDoc, useLive } from "./state";
import { Command, go, Link, useRoute, Waits } from "./ui";

const places: { path: string; word: Word; icon: string }[] = [
  { path: "devices", word: "devices", icon: "M3 4h14v9H3zM7 16h6M10 13v3" },
  { path: "people", word: "people", icon: "M10 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c0-4 3-5 6-5s6 1 6 5" },
  { path: "access", word: "access", icon: "M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3" },
  { path: "network", word: "network", icon: "M10 3v5M10 8 4 14M10 8l6 6M10 1v2M4 14v3M16 14v3" },
  { path: "settings", word: "settings", icon: "M3 6h14M3 10h14M3 14h14M7 4v4M13 8v4M6 12v4" },
];

function Palette({ close }: { close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const [q, set] = useState(""), [at, setAt] = useState(0);
  const devices = useDoc<Device[]>("/nodes", "devices", "stored").value ?? [];
  useEffect(() => { box.current?.showModal() }, []);
  const word = q.toLowerCase();
  const found = [
    ...places.filter((p) => t(p.word).toLowerCase().includes(word)).map((p) => ({ id: p.path, text: t(p.word), to: "/" + p.path })),
    ...(word ? devices.filter((d) => d.name.includes(word) || d.ipv4.includes(word)).slice(0, 8).map((d) => ({ id: "d" + d.id, text: d.name + "  " + d.ipv4, to: `/devices/${d.id}` })) : []),
  ];
  const pick = (i: number) => { const f = found[i]; if (f) { go(f.to); close() } };
  return <dialog ref={box} class="palette" aria-label={t("palette")} onCancel={close} onClick={(e) => { if (e.target === box.current) close() }}>
    <input autofocus role="combobox" aria-expanded="true" aria-controls="found" aria-activedescendant={found[at] && "f-" + found[at]?.id} aria-label={t("palette")} placeholder={t("palette")} value={q}
      onInput={(e) => { set(e.currentTarget.value); setAt(0) }}
      onKeyDown={(e) => {
        if (e.key === "ArrowDown") { e.preventDefault(); setAt(Math.min(found.length - 1, at + 1)) }
        if (e.key === "ArrowUp") { e.preventDefault(); setAt(Math.max(0, at - 1)) }
        if (e.key === "Enter") pick(at);
      }} />
    <ul id="found" role="listbox" aria-label={t("palette")}>{found.map((f, i) => <li key={f.id} id={"f-" + f.id} role="option" aria-selected={i === at} onClick={() => pick(i)}>{f.text}</li>)}</ul>
    {!found.length && <p>{t("nothingFound")}</p>}
  </dialog>;
}


function Entry() {
  return <main class="entry"><h1>Warren</h1><p>{t("loggedOut")}</p><Command text="warren-hub console" /></main>;
}

function App() {
  const route = useRoute(), state = useLive();
  const [palette, setPalette] = useState(false), [, turn] = useState(0);
  useEffect(() => {
    const f = (e: KeyboardEvent) => {
      const typing = (e.target as HTMLElement).closest("input,textarea,select,dialog");
      if ((e.key === "k" && (e.ctrlKey || e.metaKey)) || (e.key === "/" && !typing)) { e.preventDefault(); setPalette(true) }
    };
    addEventListener("keydown", f);
    return () => removeEventListener("keydown", f);
  }, []);
  const page = route[0] ?? "devices";
  const here = places.find((p) => p.path === page) ?? places[0];
  useEffect(() => { document.title = `${here ? t(here.word) : ""} · Warren` }, [here]);
  if (state.loggedOut) return <Entry />;
  if (!state.session) return <main class="entry">{state.online ? <Waits /> : <p role="alert">{t("noAnswer")}</p>}</main>;
  const Page = pages[page];
  return <>
    <nav class="rail" aria-label={t("menu")}>
      <strong class="brand">Warren</strong>
      {places.filter((p) => p.path === "devices" || pages[p.path]).map((p) => <Link key={p.path} to={"/" + p.path} aria-current={p === here ? "page" : undefined}>
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d={p.icon} /></svg><span>{t(p.word)}</span></Link>)}
      <button class="plain find" onClick={() => setPalette(true)}><span>{t("search")}</span><kbd>/</kbd></button>
    </nav>
    <main id="main">
      {!state.online && <p class="notice" role="status">{t("offlineNotice")}</p>}
      {Page ? <Page rest={route.slice(1)} turn={() => turn((n) => n + 1)} /> : <Devices id={route[1]} />}
    </main>
    {palette && <Palette close={() => setPalette(false)} />}
  </>;
}


document.documentElement.dataset.theme = remember("theme") ?? "auto";
void begin();
render(<App />, document.getElementById("app") as HTMLElement);
