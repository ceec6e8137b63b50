// Counts the compressed script of a first load: what the page loads before anybody has chosen anything, and the first page. Fails
// above the limit.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";

const LIMIT = 200_000;
const app = join(import.meta.dirname, "../dist/app");
const manifest = JSON.parse(readFileSync(join(app, ".vite/manifest.json"), "utf8"));
/** What is loaded first: the app, and the page that it shows. */
const FIRST = ["index.html", "src/lib/huggingface/huggingface_token.tsx"];

const files = new Set();
const visit = (name) => {
    const chunk = manifest[name];
    if (chunk === undefined) throw new Error(`the build has no chunk ${name}`);
    if (files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const it of chunk.imports ?? []) visit(it);
};
for (const name of FIRST) visit(name);

let sum = 0;
for (const file of files) {
    const size = gzipSync(readFileSync(join(app, file)), { level: 9 }).length;
    sum += size;
    console.log(`${String(size).padStart(8)}  ${file}`);
}
console.log(`${String(sum).padStart(8)}  bytes of compressed script in a first load, of ${LIMIT}`);
if (sum > LIMIT) {
    console.error("A first load is too heavy: load by import() what the first page does not need.");
    process.exit(1);
}
