// Makes dist/ out of ../client: JavaScript and declarations, in which files are named as they lie there. `npm pack` runs it.
//
// Must stay true: what is packed is the client that edge functions bring along, and nothing else.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const here = import.meta.dirname;
const out = join(here, "dist");
const TYPESCRIPT = "typescript@5.9.3";

rmSync(out, { recursive: true, force: true });
execFileSync("npx", ["--yes", `--package=${TYPESCRIPT}`, "tsc", "--project", join(here, "tsconfig.json")], {
    // npm pack says on its standard output how the file is called.
    stdio: ["ignore", process.stderr, "inherit"],
});
// The compiler renames imports in JavaScript only.
for (const file of readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(join(out, file), "utf8");
    writeFileSync(join(out, file), text.replaceAll(/ from "(\.[^"]*)\.ts"/g, ' from "$1.js"'));
}
