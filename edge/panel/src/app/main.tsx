// The app: its configuration, then who is signed in, then the pages.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
// By itself: a package whose files have no effects but its style sheets is left out where nothing of a file is used.
import "../lib/style/index.css";
import { loadMessages } from "../lib/index.ts";
import { App } from "./app.tsx";
import { chosenLocale } from "./preferences.ts";
import "./app.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element for the app");
const begin = () =>
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
// Without its texts it begins in English.
loadMessages(chosenLocale()).then(begin, begin);
