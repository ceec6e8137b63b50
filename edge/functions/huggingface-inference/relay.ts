// Passing a model's answer on while it comes.
//
// Must stay true: when the client goes, the provider is let go of; when nothing comes for too long, or the provider breaks
// off, the client's stream breaks off too, and is never closed as if it were complete.
import type { Patience } from "../_shared/patience.ts";
import { Veil } from "../_shared/veil.ts";

/** The bytes of an answer, without the token should it be among them. */
export function relay(
  answer: Response,
  token: string | null,
  patience: Patience,
): ReadableStream<Uint8Array> | null {
  if (!answer.body) {
    patience.end();
    return null;
  }
  const reader = answer.body.getReader();
  const veil = token === null ? null : new Veil(token);
  return new ReadableStream({
    async pull(controller) {
      try {
        while (true) {
          patience.renew();
          const { done, value } = await reader.read();
          patience.rest();
          const bytes = done ? veil?.end() : veil ? veil.push(value) : value;
          if (bytes && bytes.length > 0) controller.enqueue(bytes);
          if (done) {
            controller.close();
            patience.end();
            return;
          }
          if (bytes && bytes.length > 0) return;
        }
      } catch {
        patience.end();
        controller.error(new Error("the provider broke off"));
      }
    },
    async cancel() {
      patience.end();
      await reader.cancel().catch(() => {});
    },
  });
}
