// The OpenAI protocol, as the providers' stand-in speaks it: what is asked of a model, and an answer in the right form.
//
// The name of the model says how it answers: `echo` repeats the key that it was asked with, `endless` does not stop streaming, and any
// other one says what it was told.
//
// Must stay true: the forms are those of the protocol, so that a real SDK can read them.
import type { Arrival } from "./providers.ts";

/** Members of a body that matter here. */
interface Question {
  model: string;
  said: string;
  stream: boolean;
  withUsage: boolean;
}

/** Every answer counts the same, so that a test can add up. */
const USAGE = { prompt_tokens: 7, completion_tokens: 11, total_tokens: 18 };
const CREATED = 1_780_000_000;
const ENDLESS = 10_000;

/** The answer of a model; undefined at a path where none is. */
export function modelAnswer(it: Arrival): Response | undefined {
  const [path = ""] = it.path.split("?");
  if (it.method === "GET" && path.endsWith("/models")) return models(it.provider);
  const model = path.match(/\/models\/(.+)$/)?.[1];
  if (it.method === "GET" && model) return Response.json({ id: model, object: "model", created: CREATED });
  if (it.method !== "POST") return undefined;
  if (path.startsWith("/hf-inference/models/")) return Response.json([{ generated_text: "fine" }]);
  const kind = Object.keys(KINDS).find((kind) => path.endsWith(kind));
  if (kind === undefined) return undefined;
  const question = questionOf(it.body);
  if (question === undefined) {
    const error = { message: "model is missing", type: "invalid_request_error", code: "missing_model" };
    return Response.json({ error }, { status: 400 });
  }
  return KINDS[kind]?.(question, question.model.includes("echo") ? `your key is ${it.key}` : question.said);
}

function models(provider: string): Response {
  const data = ["small", "large"].map((id) => ({
    id: `${provider}-${id}`,
    object: "model",
    created: CREATED,
    owned_by: provider,
  }));
  return Response.json({ object: "list", data });
}

/** The longest first where one path ends like another. */
const KINDS: Record<string, (question: Question, text: string) => Response> = {
  "/chat/completions": chat,
  "/completions": ({ model }, text) =>
    Response.json({
      id: "cmpl-1",
      object: "text_completion",
      created: CREATED,
      model,
      choices: [{ index: 0, text, finish_reason: "stop" }],
      usage: USAGE,
    }),
  "/embeddings": ({ model }) =>
    Response.json({
      object: "list",
      model,
      data: [{ object: "embedding", index: 0, embedding: [0.5, -0.25, 0.125] }],
      usage: { prompt_tokens: USAGE.prompt_tokens, total_tokens: USAGE.prompt_tokens },
    }),
  "/responses": ({ model }, text) =>
    Response.json({
      id: "resp_1",
      object: "response",
      created_at: CREATED,
      status: "completed",
      model,
      output: [{
        type: "message",
        id: "msg_1",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text, annotations: [] }],
      }],
      usage: {
        input_tokens: USAGE.prompt_tokens,
        output_tokens: USAGE.completion_tokens,
        total_tokens: USAGE.total_tokens,
      },
    }),
  "/images/generations": () => Response.json({ created: CREATED, data: [{ b64_json: "aGZ0b2s=" }] }),
};

function chat(question: Question, text: string): Response {
  if (question.stream) return streamed(question, text);
  const message = { role: "assistant", content: text };
  return Response.json({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: CREATED,
    model: question.model,
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage: USAGE,
  });
}

/** One event a word, and the count of tokens in the last one where it was asked for. */
function streamed({ model, withUsage }: Question, text: string): Response {
  const words = model.includes("endless") ? Array<string>(ENDLESS).fill("again ") : text.split(/(?<= )/);
  const chunk = (rest: object) => ({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: CREATED,
    model,
    ...rest,
  });
  const events = [
    ...words.map((content) => chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
    ...(withUsage ? [chunk({ choices: [], usage: USAGE })] : []),
  ];
  const lines = [...events.map((it) => `data: ${JSON.stringify(it)}\n\n`), "data: [DONE]\n\n"];
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const line = lines[at++];
      if (line === undefined) return controller.close();
      if (at > 1) await new Promise((done) => setTimeout(done, 20));
      controller.enqueue(new TextEncoder().encode(line));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function questionOf(body: string): Question | undefined {
  try {
    const asked = JSON.parse(body);
    if (typeof asked.model !== "string") return undefined;
    const last = Array.isArray(asked.messages) ? asked.messages.at(-1)?.content : asked.input ?? asked.prompt;
    return {
      model: asked.model,
      said: `You said: ${typeof last === "string" ? last : "something"}`,
      stream: asked.stream === true,
      withUsage: asked.stream_options?.include_usage === true,
    };
  } catch {
    return undefined;
  }
}
