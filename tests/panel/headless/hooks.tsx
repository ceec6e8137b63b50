// An application that has the hooks of the panel and draws everything itself: no component of the library is in it.
import { useRef } from "react";
import { createRoot } from "react-dom/client";
import {
  HftokProvider,
  SecretValue,
  useDeleteSecret,
  useRestoreSecret,
  useSaveSecret,
  useSecret,
  useTestSecret,
} from "../../../edge/panel/src/lib/index.ts";

const provider = "openai";

/** The JWT that the test left for the page. */
function getToken(): string | null {
  return sessionStorage.getItem("jwt");
}

function Own() {
  const field = useRef<HTMLInputElement>(null);
  const secret = useSecret(provider);
  const save = useSaveSecret();
  const test = useTestSecret();
  const restore = useRestoreSecret();
  const remove = useDeleteSecret();
  const entered = () => {
    const value = new SecretValue(field.current?.value ?? "");
    if (field.current) field.current.value = "";
    return value;
  };
  const { configured = false, preview, version, isVerifying } = secret.data ?? {};
  return (
    <>
      <input ref={field} aria-label="value" type="password" />
      <button
        type="button"
        onClick={() => save.mutate({ provider, secret: entered(), replaces: configured })}
      >
        save
      </button>
      <button type="button" onClick={() => test.mutate({ provider, secret: entered() })}>test</button>
      <button type="button" onClick={() => restore.mutate({ provider })}>back</button>
      <button type="button" onClick={() => remove.mutate({ provider })}>delete</button>
      <output>
        {JSON.stringify({
          configured,
          preview,
          version,
          isVerifying,
          verdict: test.data?.verdict,
          failure: (save.error ?? restore.error ?? secret.error)?.code,
        })}
      </output>
    </>
  );
}

const root = document.getElementById("root");
const connection = {
  rest: "/rest/v1",
  functions: "/functions/v1",
  apikey: "sb_publishable_try",
  getToken,
  user: "ana",
};
if (root) {
  createRoot(root).render(
    <HftokProvider connection={connection}>
      <Own />
    </HftokProvider>,
  );
}
