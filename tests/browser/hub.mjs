// A hub with devices for the tests of the browser, as tests/api/hub_process.py has one.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const build = join(root, process.env.BUILD ?? "build");
const children = [];

async function freePort() { // the kernel gives one; the hub takes it at once
  return new Promise((done) => { const s = createServer().listen(0, "127.0.0.1", () => { const { port } = s.address(); s.close(() => done(port)) }) });
}

const lines = (child, want, what) => new Promise((done, fail) => {
  let text = "";
  const late = setTimeout(() => fail(new Error(`${what}: ${text}`)), 30000);
  child.stdout.on("data", (d) => { text += d; if (want.test(text)) { clearTimeout(late); done(text) } });
  child.on("exit", (code) => fail(new Error(`${what}: ended with ${code}: ${text}`)));
});

export async function startHub(...extra) {
  const dir = mkdtempSync(join(tmpdir(), "warren-browser-"));
  const port = await freePort(), url = `http://127.0.0.1:${port}`, socket = join(dir, "hub.sock"), program = join(build, "src/bin/warren-hub/warren-hub");
  const argv = ["serve", "--state-dir", join(dir, "state"), "--socket", socket, "--relay-listen", "off", "--stun-listen", "off",
    "--listen", `127.0.0.1:${port}`, "--url", url, "--accept-rate", "0", ...extra];
  const child = spawn(program, argv, { stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  await lines(child, /warren-hub: ready/, "the hub");
  const hub = {
    url, pid: child.pid,
    run: (...args) => execFileSync(program, [...args, "--socket", socket], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    json: (...args) => JSON.parse(hub.run(...args, "--json")),
    device(name, key, tags = "") {
      const d = spawn(join(build, "tests/tools/hubdevice/hubdevice"), [url, name, key, tags], { stdio: ["pipe", "pipe", "ignore"] });
      children.push(d);
      return { child: d, wait: (want) => lines(d, want, name) };
    },
    load(key, n) {
      const d = spawn(join(build, "tests/tools/hubload/hubload"), [url, key, String(n)], { stdio: ["ignore", "pipe", "ignore"] });
      children.push(d);
      return new Promise((done) => d.on("exit", done));
    },
    stop() {
      for (const c of children.splice(0).reverse()) c.kill("SIGTERM");
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return hub;
}
