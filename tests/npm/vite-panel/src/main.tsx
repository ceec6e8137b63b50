// An application with two components of the panel, and one of its own over a hook.
import { createRoot } from "react-dom/client";
import { HftokProvider, HuggingFaceToken, ProviderSecrets, useMe } from "hftok-panel";
import "hftok-panel/style.css";

function Who() {
  const { data } = useMe();
  return <p>{data ? `You are ${data.id}.` : "…"}</p>;
}

const root = document.getElementById("root");
if (root === null) throw new Error("there is no element for the application");
const address = location.origin;
createRoot(root).render(
  <HftokProvider connection={{ rest: address, functions: `${address}/functions`, getToken: () => "a.b.c", user: "ana" }} locale="es">
    <Who />
    <HuggingFaceToken />
    <ProviderSecrets />
  </HftokProvider>,
);
