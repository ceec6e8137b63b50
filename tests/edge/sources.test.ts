// The sources of edge/, of these tests and of tests/rpc: formatted, linted, typed, and short enough to be read.
import assert from "node:assert/strict";

const deno = Deno.env.get("HFTOK_DENO")!;
const edge = new URL("../../edge/", import.meta.url).pathname;
const tests = new URL("./", import.meta.url).pathname;
const rpc = new URL("../rpc/", import.meta.url).pathname;
const MOST_LINES = 400;

async function clean(folder: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(deno, { args, cwd: folder, stdin: "null" })
    .output();
  assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
}

for (const [name, folder] of Object.entries({ edge, "tests/edge": tests, "tests/rpc": rpc })) {
  Deno.test(`${name}: deno fmt`, () => clean(folder, "fmt", "--check"));
  Deno.test(`${name}: deno lint`, () => clean(folder, "lint"));
}

// The panel's types are those of its packages: its own build looks at them.
const CHECKED = ["client", "functions", "examples", "try", "generate_types.ts"];
Deno.test("edge: deno check, also of what no test imports", () => clean(edge, "check", ...CHECKED));

/** Folders that others fill: packages, and what is built. */
const NOT_OURS = ["node_modules", "dist"];

/** The files in a folder; a link leads to files that are listed where they lie. */
function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory, isSymlink }) =>
    isSymlink || NOT_OURS.includes(name) ? [] : isDirectory ? files(`${folder}${name}/`) : [folder + name]
  );
}

Deno.test("no file is too long", () => {
  const lines = (file: string) => Deno.readTextFileSync(file).split("\n").length - 1;
  // What npm writes is no source.
  const sources = [edge, tests, rpc].flatMap(files).filter((file) => !file.endsWith("/package-lock.json"));
  assert.deepEqual(sources.filter((file) => lines(file) > MOST_LINES), []);
});

Deno.test("the functions import nothing but each other and the client that they bring along", () => {
  const functions = `${edge}functions/`;
  const outside = files(functions).flatMap((file) => {
    const imported = [...Deno.readTextFileSync(file).matchAll(/from "([^"]+)"/g)].map(([_, from]) => from!);
    return imported.filter((from) =>
      !from.startsWith(".") || !new URL(from, `file://${file}`).pathname.startsWith(functions)
    );
  });
  assert.deepEqual(outside, []);
  assert.equal(Deno.realPathSync(`${functions}_shared/client`), Deno.realPathSync(`${edge}client`));
});
