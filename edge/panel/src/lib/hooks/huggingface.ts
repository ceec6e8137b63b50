// The Hugging Face token: by edge function save-hf-token, which applications have had from the beginning.
//
// Must stay true: a token goes to the function in a SecretValue, and comes back from nowhere.
import { type Action, type Reading, useAction, useRead } from "../connection/reads.ts";
import type { SecretValue } from "../connection/secret_value.ts";
import { keyOf, named, type SavedSecret, type Secret, type SecretTest, type Use } from "./secrets.ts";

/** What is known of the token. */
export type HuggingFaceSecret = Omit<Secret, "provider" | "label" | "model">;

const FUNCTION = "save-hf-token";
/** A token of Hugging Face is a secret of provider huggingface too. */
const CHANGED = ["huggingface", "secrets", "secret-history", "walk", "tokens-provided"];

/** Reads whether there is a token, and what is known of it. */
export function useHuggingFaceToken(use: Use = {}): Reading<HuggingFaceSecret> {
  const query = named(use);
  return useRead(
    ["huggingface", ...keyOf(use)],
    (vault, signal) => vault.call<HuggingFaceSecret>(FUNCTION, { method: "GET", query, signal }),
  );
}

/** Saves the token; replaces the one that is there. */
export function useSaveHuggingFaceToken(): Action<
  Omit<SavedSecret, "version">,
  Use & { token: SecretValue }
> {
  return useAction(
    (vault, { token, ...use }) =>
      vault.call<SavedSecret>(FUNCTION, { method: "POST", body: { token: token.take(), ...named(use) } }),
    ...CHANGED,
  );
}

/** Asks Hugging Face whether it takes a token: the stored one, or one that is not saved. */
export function useTestHuggingFaceToken(): Action<SecretTest, Use & { token?: SecretValue }> {
  return useAction((vault, { token, ...use }) => {
    const body = { ...named(use), ...(token === undefined ? {} : { token: token.take() }) };
    return vault.call<SecretTest>(FUNCTION, { method: "POST", path: "test", body });
  }, ...CHANGED);
}

/** Deletes the token; false when there was none. */
export function useDeleteHuggingFaceToken(): Action<boolean, Use> {
  return useAction(async (vault, use) => {
    const answer = await vault.call<{ deleted: boolean }>(FUNCTION, { method: "DELETE", query: named(use) });
    return answer.deleted;
  }, ...CHANGED);
}
