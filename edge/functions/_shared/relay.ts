// Passing a model's answer on while it comes.
//
// Must stay true: when the client goes, the provider is let go of; when nothing comes for too long, or the provider breaks
// off, the client's stream breaks off too, and is never closed as if it were complete.
import type { IdleDeadline } from "./deadline.ts";
import { Redactor } from "./redact.ts";

/** Whoever looks at an answer that passes by. */
export interface Onlooker {
  /** Bytes that pass. */
  push(bytes: Uint8Array): void;
  /** No more follow, whatever the reason. */
  end(): void;
}

/** The bytes of an answer, without the token should it be among them. */
export function relay(
  answer: Response,
  token: string | null,
  deadline: IdleDeadline,
  onlooker?: Onlooker,
): ReadableStream<Uint8Array> | null {
  // Once there is nothing to wait for: a runtime may forget the stream of a client that is gone without a word.
  if (deadline.signal.aborted) onlooker?.end();
  else deadline.signal.addEventListener("abort", () => onlooker?.end());
  if (!answer.body) {
    deadline.end();
    return null;
  }
  const reader = answer.body.getReader();
  const redactor = token === null ? null : new Redactor(token);
  return new ReadableStream({
    async pull(controller) {
      try {
        while (true) {
          deadline.renew();
          const { done, value } = await reader.read();
          deadline.rest();
          if (value) onlooker?.push(value);
          const bytes = done ? redactor?.end() : redactor ? redactor.push(value) : value;
          if (bytes && bytes.length > 0) controller.enqueue(bytes);
          if (done) {
            controller.close();
            deadline.end();
            return;
          }
          if (bytes && bytes.length > 0) return;
        }
      } catch {
        deadline.end();
        controller.error(new Error("the provider broke off"));
      }
    },
    async cancel() {
      deadline.end();
      await reader.cancel().catch(() => {});
    },
  });
}
