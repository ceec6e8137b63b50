// Makes the library's declarations: those of hftok-client lie beside them, because what the library shows has types of it.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const here = join(import.meta.dirname, "..");
const out = join(here, "dist/lib/types");

rmSync(out, { recursive: true, force: true });
const tsc = join(here, "node_modules/.bin/tsc");
// npm pack says on its standard output how the file is called.
execFileSync(tsc, ["--project", "tsconfig.lib.json"], {
    cwd: here,
    stdio: ["ignore", process.stderr, "inherit"],
});
for (const file of readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(join(out, file), "utf8");
    // The style sheet is by itself: an application imports it once.
    const code = text.replaceAll(/^import "[^"]*\.css";\n/gm, "");
    writeFileSync(join(out, file), code.replaceAll(/(from |import\()"(\.[^"]*)\.tsx?"/g, '$1"$2.js"'));
}
