// The console, page by page: what it shows, what it changes, that nothing of it executes, that it can be read by everybody.
import { chromium } from "playwright-core";
import { readFileSync, mkdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { createRequire } from "node:module";
import { startHub } from "./hub.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const dist = new URL("../../console/dist/", import.meta.url);
const pictures = process.argv.includes("--pictures") ? new URL("../../docs/console/", import.meta.url).pathname : process.env.PICTURES;
let passed = 0, failed = 0;

function check(name, ok, detail = "") {
  if (ok) passed++; else failed++;
  console.log(`${ok ? "ok" : "not ok"} - ${name}${ok ? "" : ": " + JSON.stringify(detail)}`);
}
async function trial(name, f) {
  try { await f() } catch (e) { check(name, false, String(e).slice(0, 600)) }
}

const HOSTILE = ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "\"><svg onload=alert(1)>", "javascript:alert(1)", "{{7*7}}${7*7}",
  "'-alert(1)-'", "</title><script>alert(1)</script>", "\u202eevil\u2066", "a".repeat(250), "%3Cscript%3E", "&lt;b&gt;&#x3c;"];

const KEPT = ["device-desk", "policy", "network-phone-light", "settings-phone-dark"]; // in docs/console
const pages = ["devices", "people", "access", "network", "settings", "settings/audit", "settings/sessions"];
const hub = await startHub("--approve-devices");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

async function open(size, scheme, locale = "en-GB") {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, locale, hasTouch: size.width < 500 });
  const page = await context.newPage();
  page.faults = [];
  page.on("dialog", (d) => { page.faults.push("a dialog: " + d.message()); void d.dismiss() });
  page.on("console", (m) => { if (m.type() === "error" && !/401|409|400/.test(m.text())) page.faults.push(m.text()) });
  page.on("pageerror", (e) => page.faults.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(hub.url) && !r.url().startsWith("data:")) page.faults.push("asked " + r.url()) });
  return page;
}
async function login(page, next = "/console") {
  await page.goto(hub.json("login", "--next", next).url);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(/\/console/);
}
async function accessible(page, name) {
  const found = await page.evaluate(async (source) => {
    // The policy of the page forbids scripts of others; this one is the test's.
    return await new Promise((done) => { done(source) });
  }, null).then(() => page.evaluate(axe + "; axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.html).slice(0, 3).join(' | ')))"));
  check(`axe: ${name}`, found.length === 0, found);
}
async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`one direction of scrolling: ${name}`, over <= 0, over);
}

try {
  const sizes = readSizes();
  check(`all of it is ${sizes.all} bytes, below 300 KB`, sizes.all < 300 * 1024, sizes);
  check(`the first page is ${sizes.first} bytes, below 60 KB`, sizes.first < 60 * 1024, sizes);

  await trial("stranger", async () => {
    const page = await open({ width: 1440, height: 900 }, "light");
    await page.goto(hub.url + "/console/devices");
    await page.getByText("You are not logged in").waitFor();
    check("a stranger sees how to log in, and no device", true);
    const r = await page.request.get(hub.url + "/console/api/nodes");
    check("the API refuses a stranger", r.status() === 401, r.status());
    const e = await page.request.get(hub.url + "/console/api/events");
    check("so do the events", e.status() === 401, e.status());
    await accessible(page, "stranger");
    await page.context().close();
  });

  const desk = await open({ width: 1440, height: 900 }, "light");
  await login(desk);
  await trial("empty", async () => {
    await desk.getByText("No device yet").waitFor();
    check("an empty list says what to run", (await desk.locator(".command").first().textContent()).includes("warren up --login-server=" + hub.url));
  });

  const key = hub.json("keys", "create", "--reusable", "--preapproved").key;
  for (const name of ["laptop", "nas", "printer"]) await hub.device(name, key).wait(/state\trunning/);
  await trial("live", async () => {
    await desk.getByRole("link", { name: "laptop" }).waitFor({ timeout: 10000 });
    check("a device that joins appears by itself", true);
    const asks = hub.device("phone", hub.json("keys", "create").key);
    await asks.wait(/self/);
    await desk.getByRole("heading", { name: "Waiting for you" }).waitFor({ timeout: 10000 });
    await desk.getByRole("button", { name: "Look at it" }).click();
    await desk.getByText("What it gets when it is let in").waitFor();
    if (pictures) await shot(desk, "waiting");
    await desk.getByRole("button", { name: "Let it in" }).click();
    await desk.getByRole("heading", { name: "Waiting for you" }).waitFor({ state: "detached", timeout: 10000 });
    check("a device that waits is let in", hub.json("nodes", "list").find((n) => n.name === "phone").approved === true);
  });

  await trial("search", async () => {
    await desk.locator("#search").fill("online:yes nas");
    await desk.getByText("1 of 4 devices").waitFor();
    check("search with words", (await desk.locator(".devices .row .name a").allTextContents()).join() === "nas");
    check("the search is in the address", desk.url().includes("q=online"));
    await desk.locator("#search").fill("");
  });

  await trial("detail", async () => {
    await desk.goto(hub.url + "/console/devices"); // all are asked for here, and again in a minute
    await desk.getByRole("link", { name: "nas" }).click();
    await desk.getByRole("heading", { name: "nas", level: 2 }).waitFor();
    const asked = [];
    desk.on("request", (r) => { if (r.url().endsWith("/nodes/changed")) asked.push(JSON.parse(r.postData()).changes) });
    await desk.getByRole("button", { name: "Rename" }).click();
    await desk.getByLabel("Name", { exact: true }).fill("laptop");
    await desk.getByRole("button", { name: "Save" }).click();
    await desk.getByRole("alert").waitFor();
    check("a refusal keeps what was typed", (await desk.getByLabel("Name", { exact: true }).inputValue()) === "laptop", await desk.getByRole("alert").textContent());
    await desk.getByLabel("Name", { exact: true }).fill("storage");
    check("the command stands beside the button", (await desk.locator(".detail .command").textContent()).includes("warren-hub nodes rename nas storage"));
    await desk.getByRole("button", { name: "Save" }).click();
    await desk.getByRole("heading", { name: "storage", level: 2 }).waitFor();
    check("renamed", hub.json("nodes", "list").some((n) => n.name === "storage"));
    check("after a change only what has changed is asked for", asked.length > 0 && asked.every((n) => n > 0), asked);
    await accessible(desk, "a device, desk");
    if (pictures) await shot(desk, "device-desk");
    await desk.goBack();
    await desk.locator(".detail").waitFor({ state: "detached" });
    check("back leaves the detail", true);
  });

  await trial("remove", async () => {
    await desk.getByRole("link", { name: "printer" }).click();
    await desk.getByRole("button", { name: "Remove" }).click();
    await desk.getByRole("dialog").getByText("It loses its address").waitFor();
    await desk.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await desk.waitForURL(/\/console\/devices$/);
    await desk.getByRole("link", { name: "printer" }).waitFor({ state: "detached" });
    check("removed, and said so before", !hub.json("nodes", "list").some((n) => n.name === "printer"));
  });

  await trial("policy", async () => {
    await desk.goto(hub.url + "/console/access");
    const box = desk.getByRole("textbox", { name: "Policy" });
    await box.fill('{\n\t"grants": [ { "src": ["nobody@nowhere"], "dst": ["*"], "ip": ["*"], } ],\n\t"tests": [ { "src": "nope" } ]\n');
    await desk.getByRole("button", { name: /Go there/ }).first().waitFor({ timeout: 10000 });
    check("an error has its place, as one types", /Line \d+/.test(await desk.getByRole("button", { name: /Go there/ }).first().textContent()));
    await box.fill('{ "grants": [ { "src": ["tag:none"], "dst": ["tag:none"], "ip": ["*"] } ], "tagOwners": { "tag:none": [] } }');
    await desk.getByRole("button", { name: "Who is concerned" }).click();
    await desk.getByText("It changes something for").waitFor();
    check("who is concerned is shown before", (await desk.locator(".page table tr").count()) >= 3);
    if (pictures) await shot(desk, "policy");
    await desk.getByRole("button", { name: "Save" }).click();
    await desk.getByText("Saved.").waitFor();
    check("saved", hub.run("policy", "get").includes("tag:none"));
    await desk.getByLabel("From").fill("laptop");
    await desk.getByLabel("To", { exact: true }).fill("storage");
    await desk.getByRole("button", { name: "Ask" }).click();
    await desk.getByText("No. No rule lets").waitFor();
    check("can A reach B: no", true);
    const version = hub.json("policy", "status").version;
    const stale = await desk.evaluate(async (v) => {
      const s = await (await fetch("/console/api/session")).json();
      return (await fetch("/console/api/policy", { method: "POST", headers: { "X-CSRF-Token": s.csrf }, body: JSON.stringify({ policy: "{}", ifVersion: v + 7 }) })).status;
    }, version);
    check("who looked at another version does not save", stale === 409, stale);
    await desk.getByText("Versions (").click();
    check("versions are listed", (await desk.locator("details li").count()) >= 1);
    await box.fill("{}");
    await desk.getByRole("button", { name: "Save" }).click();
    await desk.getByText("Saved.").waitFor();
  });

  await trial("keys", async () => {
    await desk.getByRole("button", { name: "New key" }).click();
    await desk.getByLabel("For several devices").check();
    await desk.getByRole("button", { name: "New key" }).click();
    await desk.getByText("This key is shown once").waitFor();
    const shown = (await desk.locator(".card .command code").first().textContent()) ?? "";
    check("a key is shown once, with its command", shown.length > 40 && (await desk.locator(".card .command code").nth(1).textContent()).endsWith("--auth-key=" + shown));
    await desk.getByRole("button", { name: "Close" }).click();
    check("and not again", !(await desk.textContent("main")).includes(shown));
  });

  await trial("people", async () => {
    await desk.goto(hub.url + "/console/people");
    await desk.getByLabel("New user").fill("ana");
    await desk.getByRole("button", { name: "Add" }).click();
    await desk.getByText("ana", { exact: true }).first().waitFor();
    await desk.getByLabel("Role: ana").selectOption("auditor");
    await desk.waitForFunction(() => [...document.querySelectorAll("select")].some((s) => s.value === "auditor" && !s.disabled));
    check("a person and her role", hub.json("users", "list").find((u) => u.name === "ana")?.role === "auditor", hub.json("users", "list"));
  });

  await trial("dns", async () => {
    await desk.goto(hub.url + "/console/network");
    await desk.getByLabel("Resolvers for everything: Value").fill("192.0.2.53");
    await desk.getByRole("button", { name: "Add" }).first().click();
    await desk.getByRole("button", { name: "Remove: 192.0.2.53" }).waitFor();
    await desk.getByLabel("Records of your own: Name").fill("wiki.example.org");
    await desk.getByLabel("Records of your own: Value").fill("192.0.2.80");
    await desk.locator("form", { has: desk.getByLabel("Records of your own: Name") }).getByRole("button").click();
    await desk.getByText("wiki.example.org A 192.0.2.80").waitFor();
    await desk.getByLabel("What would a device ask?").fill("wiki.example.org");
    await desk.getByRole("button", { name: "Ask" }).click();
    await desk.getByText("A record of yours answers.").waitFor();
    check("resolvers, records, and who answers", hub.json("dns", "status").records.length === 1);
  });

  await trial("audit", async () => {
    await desk.goto(hub.url + "/console/settings");
    await desk.getByRole("link", { name: "Audit log" }).click();
    await desk.getByText(/^POST .*\/users$/).first().waitFor();
    await desk.getByLabel("Who or what").fill("storage");
    await desk.getByText(/^POST .*\/users$/).first().waitFor({ state: "detached" });
    const entry = desk.locator("li", { hasText: /\/rename/ });
    await entry.locator("summary").click();
    check("a change has what was before and what is after", /nas.*storage/.test(await entry.locator("tbody").textContent()), await entry.textContent());
    await accessible(desk, "an entry of the record, open");
    const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("button", { name: "Save as JSON lines" }).click()]);
    const lines = readFileSync(await file.path(), "utf8").trim().split("\n").map((l) => JSON.parse(l));
    check("what is looked for is saved as JSON lines", lines.some((l) => /rename/.test(l.action)) && lines.every((l) => JSON.stringify(l).includes("storage")), lines);
  });

  await trial("sessions", async () => {
    const other = await open({ width: 390, height: 844 }, "light");
    const before = hub.json("sessions", "list").map((s) => s.id);
    await login(other);
    const id = hub.json("sessions", "list").map((s) => s.id).find((i) => !before.includes(i));
    await desk.goto(hub.url + "/console/settings/sessions");
    await desk.getByRole("button", { name: new RegExp(`^End: .*, ${id}$`) }).click();
    await desk.getByRole("dialog").getByRole("button", { name: "End", exact: true }).click();
    await desk.getByRole("dialog").waitFor({ state: "detached" });
    check("a session is ended", !hub.json("sessions", "list").some((s) => s.id === id));
    await other.goto(hub.url + "/console");
    await other.getByText("You are not logged in").waitFor();
    check("and that browser is logged out", true);
    await other.context().close();
    const auditor = await open({ width: 1440, height: 900 }, "light");
    await auditor.goto(hub.json("login", "--user", "ana", "--next", "/console/settings/sessions").url);
    await auditor.getByRole("button", { name: "Log in" }).click();
    await auditor.getByText("ana", { exact: true }).first().waitFor();
    check("an auditor sees the sessions, and no button that ends one", (await auditor.getByRole("button", { name: /^End/ }).count()) === 0);
    await auditor.context().close();
  });

  await trial("csrf", async () => {
    const r = await desk.request.post(hub.url + "/console/api/users", { data: { name: "mallory" } });
    check("a change without the token of a page is refused", r.status() === 403, r.status());
    const far = await desk.request.get(hub.url + "/console/api/nodes", { headers: { "Sec-Fetch-Site": "cross-site" } });
    check("so is a question from another site", far.status() === 403, far.status());
  });

  await trial("hostile", async () => {
    for (const [i, s] of HOSTILE.entries()) await hub.device(s, key).wait(/state\trunning/).catch((e) => check(`device ${i}`, false, String(e)));
    const records = [];
    for (const s of HOSTILE) try { hub.run("users", "create", s); records.push(s) } catch { /* refused: good */ }
    for (const p of pages) {
      await desk.goto(`${hub.url}/console/${p}?q=${encodeURIComponent(HOSTILE[0])}`);
      await desk.locator("#main h1").waitFor();
    }
    await desk.goto(hub.url + "/console/devices");
    for (const n of hub.json("nodes", "list")) {
      await desk.goto(`${hub.url}/console/devices/${n.id}`);
      await desk.locator(".detail h2").waitFor();
      check(`the name of device ${n.id} stands there as text`, (await desk.locator(".detail h2").textContent()) === n.name);
      check(`so does what it calls itself`, (await desk.locator(".detail dl").textContent()).includes(n.hostname), n.hostname);
    }
    await fits(desk, "hostile names");
    check("nothing of it executed, nothing was asked of others", desk.faults.length === 0, desk.faults);
  });

  await trial("pages", async () => {
    for (const [label, size, scheme] of [["desk-light", { width: 1440, height: 900 }, "light"], ["desk-dark", { width: 1440, height: 900 }, "dark"],
      ["phone-light", { width: 390, height: 844 }, "light"], ["phone-dark", { width: 320, height: 640 }, "dark"]]) {
      const page = await open(size, scheme);
      await login(page);
      for (const p of pages) {
        await page.goto(`${hub.url}/console/${p}`);
        await page.locator("#main h1").waitFor({ timeout: 10000 }).catch(async (e) => { throw new Error(`${p}, ${label}: ${await page.textContent("body")} ${page.faults} ${e}`) });
        await page.waitForLoadState("domcontentloaded");
        await page.waitForFunction(() => !document.querySelector(".skeleton"));
        await fits(page, `${p}, ${label}`);
        await accessible(page, `${p}, ${label}`);
        if (pictures) await shot(page, `${p.replace("/", "-")}-${label}`);
      }
      check(`no fault, ${label}`, page.faults.length === 0, page.faults);
      await page.context().close();
    }
  });

  await trial("german", async () => {
    const page = await open({ width: 390, height: 844 }, "light", "de-DE");
    await login(page);
    await page.getByRole("heading", { name: "Geräte" }).waitFor();
    check("German where the browser asks for it", (await page.getAttribute("html", "lang")) === "de");
    await page.context().close();
  });

  await trial("many", async () => {
    const done = hub.load(key, 1000);
    await desk.goto(hub.url + "/console/devices");
    await desk.getByText(/^1\d{3} devices, /).waitFor({ timeout: 60000 });
    const rows = await desk.locator(".devices .row").count();
    check("of a thousand devices only those are drawn that can be seen", rows < 120, rows);
    const typed = await desk.evaluate(() => {
      const box = document.getElementById("search"), begun = performance.now();
      box.value = "online:no os:l";
      box.dispatchEvent(new Event("input", { bubbles: true }));
      return new Promise((r) => requestAnimationFrame(() => setTimeout(() => r(performance.now() - begun))));
    });
    check(`typing is answered in ${Math.round(typed)} ms, below 150 on a busy machine`, typed < 150, typed);
    await done;
  });
} finally {
  await browser.close();
  hub.stop();
}

function readSizes() {
  const size = (f) => gzipSync(readFileSync(new URL(f, dist)), { level: 9 }).length;
  const all = ["index.html", "app.js", "app.css"].reduce((n, f) => n + size(f), 0);
  return { all, first: all };
}
async function shot(page, name) {
  mkdirSync(pictures, { recursive: true });
  if (process.argv.includes("--pictures") && !KEPT.includes(name)) return;
  await page.screenshot({ path: `${pictures}/${name}.png` });
}

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
