// The edge functions as processes, one each, as they are deployed: the folders of edge/functions that have an index.ts.
//
// Must stay true: a process has no more rights than a function needs, and none outlives whoever started it.

/** A function that runs. */
interface Running {
  name: string;
  url: string;
}

const STARTS_WITHIN_MS = 60_000;
const children: Deno.ChildProcess[] = [];
globalThis.addEventListener("unload", stopAll);

/** Ends every process that was started here. */
export function stopAll(): void {
  for (const child of children.splice(0)) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** Starts every function of a folder; the addresses by name. */
export async function startAll(
  deno: string,
  folder: string,
  environment: Record<string, string>,
): Promise<Map<string, string>> {
  const names = Array.from(Deno.readDirSync(folder)).filter((it) =>
    it.isDirectory && !it.name.startsWith("_")
  );
  const running = await Promise.all(names.map(({ name }) => start(deno, folder, name, environment)));
  return new Map(running.map(({ name, url }) => [name, url]));
}

async function start(
  deno: string,
  folder: string,
  name: string,
  environment: Record<string, string>,
): Promise<Running> {
  const rights = ["--no-prompt", "--cached-only", "--allow-env", "--allow-net=127.0.0.1,localhost"];
  const child = new Deno.Command(deno, {
    args: ["run", ...rights, `${folder}/${name}/index.ts`],
    clearEnv: true,
    env: {
      DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...environment,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  children.push(child);
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) void follow(stream, name, listening.resolve);
  const tooLate = setTimeout(
    () => listening.reject(new Error(`${name} did not start in time`)),
    STARTS_WITHIN_MS,
  );
  void child.status.then(({ code }) => listening.reject(new Error(`${name} ended with status ${code}`)));
  try {
    return { name, url: await listening.promise };
  } finally {
    clearTimeout(tooLate);
  }
}

/** Writes what a function prints into our own log, and finds the address in it. */
async function follow(
  stream: ReadableStream<Uint8Array>,
  name: string,
  found: (url: string) => void,
): Promise<void> {
  let before = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (before + text).split("\n");
    before = lines.pop() ?? "";
    for (const line of lines) {
      console.error(`${name}: ${line}`);
      const url = line.match(/Listening on (http:\/\/127\.0\.0\.1:\d+)/)?.[1];
      if (url !== undefined) found(url);
    }
  }
}
