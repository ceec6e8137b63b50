// The edge function integrations, with the providers that it asks: the stand-in, and one that answers as a test tells it.
import assert from "node:assert/strict";
import { pointAt, takeBack } from "../../../edge/try/catalogue.ts";
import { Providers } from "../../../edge/try/providers.ts";
import { letters } from "../../rpc/lib/exchange.ts";
import { operator, people, type Person, service } from "../../rpc/lib/people.ts";
import { until } from "../../rpc/lib/server.ts";
import { nothingLeaked, Running, test, unseen } from "./functions.ts";
import { answering, got, here } from "./local_provider.ts";

/** The provider that answers as it is told, whatever the key. */
const TOLD = {
  name: "edge_told",
  label: "Told",
  fields: [{ name: "api_key", secret: true }],
  hosts: ["127.0.0.1"],
  test: {
    method: "GET",
    url: `${here}/me`,
    headers: { "x-key": "{api_key}" },
    answers: { 200: "verified", 401: "invalid" },
  },
};

/** A key of Groq with a word for the stand-in. */
export const key = (word = "good") => unseen(`gsk_${word}${letters(48)}`);
/** One that is no other provider's. */
export const plain = () => unseen(`told-${letters(40)}`);
/** The told provider answers with this status from now on. */
export const status = (code: number) => answering(() => new Response(null, { status: code }));
/** An integration as the service sees it. */
export const row = async (of: string) => (await service.rows("integrations", { id: of }))[0];
/** Its status and message. */
export const state = async (of: string) => {
  const { status, error_message } = await row(of);
  return [status, error_message];
};
/** Waits until nobody is verifying it. */
export const done = (of: string) => until(async () => (await row(of)).status !== "verifying");
/** One that was made without the function, as a client of PostgREST makes it. */
export const made = (whose: object, type = "edge_told", credentials = plain()): Promise<string> =>
  service.call("create_integration_with_vault", {
    p_name: "made",
    p_type: type,
    p_credentials: credentials,
    ...whose,
  });

/** Whom a request goes to, and what goes along with it. */
interface Via {
  running?: Running;
  headers?: Record<string, string>;
}

/** The environment of a function that verifies as often as tests want. */
export const PACE = { HFTOK_TESTS_PER_MINUTE: "1000" };

/** The function while a file of tests runs, and the people of that file. */
export async function scene(file: string, providers: string[]) {
  const stub = new Providers();
  await pointAt(stub.url, operator, providers);
  await operator.call("register_provider", { p_provider: TOLD });
  // They verify more in a minute than a user may.
  const integrations = await Running.start("integrations", PACE);
  const who = await people(file);
  /** The answer to a request; its HTTP status is `http`, as an integration has a status of its own. */
  const said = async (
    by: Person | null,
    method: string,
    path = "",
    body?: unknown,
    { running = integrations, headers = {} }: Via = {},
  ) => {
    const { status, body: answer } = await running.ask(by, method, { path, body, headers });
    return { http: status, ...JSON.parse(answer) };
  };
  const create = (type: string, credentials: unknown, via?: Via) =>
    said(who.alice, "POST", "", { name: type, type, credentials }, via);
  const remove = (of: string) => said(who.alice, "DELETE", `/${of}`);
  /** One that the told provider accepted. */
  const connected = async (credentials = plain()): Promise<string> => {
    status(200);
    const { id } = await create("edge_told", credentials);
    await done(id);
    assert.equal((await row(id)).status, "connected");
    got.length = 0;
    return id;
  };
  return { stub, integrations, ...who, said, create, remove, connected };
}

/** The last tests of a file. */
export function ending(stub: Providers): void {
  test("nothing went where no key may go, and the catalogue is as it was", async () => {
    assert.deepEqual(stub.seenElsewhere(), []);
    await takeBack(operator);
    await stub.stop();
  });
  nothingLeaked();
}
