// A user's request to a model, and the path that it goes to.
//
// Must stay true: a request chooses a model, and with it a path of known form; host and everything else of the address are
// the operator's.
import { members } from "../_shared/body.ts";
import { Refusal } from "../_shared/refusal.ts";

/** A request to a model. */
export interface InferenceRequest {
  /** The model, as credentials for a model name it. */
  model: string;
  orgId: string | undefined;
  levels: string[] | undefined;
  /** The path under the base address. */
  path: string;
  /** The body that is sent to the model. */
  body: string;
}

const OURS = ["org_id", "levels"];
/** As huggingface_hub has it: an owner and a name, neither of which could climb out of a path. */
const MODEL = /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/;
const LONGEST = 96;
/** The provider that a chat model may name behind a colon. */
const ROUTE = /:[\w-]{1,64}$/;

/** The request in a body: `messages` are a chat, `inputs` any other task. */
export function parseRequest(body: Record<string, unknown>): InferenceRequest {
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !OURS.includes(name)));
  const ours = Object.fromEntries(
    Object.entries(body).filter(([name]) => OURS.includes(name) || name === "model"),
  );
  const { model, org_id, levels } = members(ours, { model: "text", org_id: "text", levels: "list of texts" });
  if (model === undefined) throw new Refusal(400, "bad_input", "model must be given.");
  if ("messages" in rest) {
    const name = repository(model.replace(ROUTE, ""));
    return { model: name, orgId: org_id, levels, path: "/v1/chat/completions", body: JSON.stringify(rest) };
  }
  if (!("inputs" in rest)) {
    throw new Refusal(400, "bad_input", "messages (a chat) or inputs (a task) must be given.");
  }
  const name = repository(model);
  const { model: _, ...task } = rest;
  return {
    model: name,
    orgId: org_id,
    levels,
    path: `/hf-inference/models/${name}`,
    body: JSON.stringify(task),
  };
}

function repository(name: string): string {
  if (name.length > LONGEST || !MODEL.test(name) || name.includes("..") || name.includes("--")) {
    throw new Refusal(400, "bad_input", "model must be the name of a model on the Hub, as owner/name.");
  }
  return name;
}
