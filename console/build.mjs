// Builds the console into dist/: one page, one script, one stylesheet, each also as gzip and brotli. The same sources give the same bytes.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const out = process.argv[2] ?? "dist";
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.tsx" }, bundle: true, minify: true, format: "esm", target: "es2020", charset: "utf8",
  legalComments: "none", jsx: "automatic", jsxImportSource: "preact", outdir: out,
});
const tag = (name) => createHash("sha256").update(readFileSync(`${out}/${name}`)).digest("hex").slice(0, 16);
const page = readFileSync("src/index.html", "utf8").replace(/\{(app\.\w+)\}/g, (_, name) => `/console/assets/${tag(name)}/${name}`);
writeFileSync(`${out}/index.html`, page);
for (const name of ["index.html", "app.js", "app.css"]) {
  const data = readFileSync(`${out}/${name}`);
  const gz = gzipSync(data, { level: 9 });
  gz[9] = 255; // the system that packed it says nothing
  writeFileSync(`${out}/${name}.gz`, gz);
  writeFileSync(`${out}/${name}.br`, brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }));
}
