// Builds the static app into dist/app, and serves it while it is developed. Read from the environment:
// - HFTOK_CONNECT, the origins that the app may talk to besides its own, separated by spaces: https://<project>.supabase.co
// - HFTOK_BASE, the path that the app is served under; / when not given
// - HFTOK_STACK, for `npm run dev`: the address that `make try-edge` prints, which then answers everything but the app itself
import { defineConfig, loadEnv } from "vite";
import react from "@vitejs/plugin-react";
import locales from "@react-aria/optimize-locales-plugin";
import { contentSecurity } from "./builds/content_security.ts";
import { TARGETS } from "./builds/targets.ts";

const STACK = ["/rest", "/functions", "/try", "/config.json"];

export default defineConfig(({ mode }) => {
  const { HFTOK_CONNECT = "", HFTOK_BASE = "/", HFTOK_STACK } = loadEnv(mode, ".", "HFTOK_");
  return {
    base: HFTOK_BASE,
    // React Aria has its own words in thirty languages; the panel speaks two.
    plugins: [
      react(),
      { ...locales.vite({ locales: ["en-US", "es-ES"] }), enforce: "pre" },
      contentSecurity(HFTOK_CONNECT),
    ],
    build: {
      outDir: "dist/app",
      // builds/first_load.mjs counts by it what a first load is made of.
      manifest: true,
      cssCodeSplit: false,
      modulePreload: { polyfill: false },
      // Nothing is put into a style sheet or script as data: the policy has no room for it.
      assetsInlineLimit: 0,
      target: TARGETS,
      cssTarget: TARGETS,
    },
    server: {
      host: "127.0.0.1",
      proxy: HFTOK_STACK ? Object.fromEntries(STACK.map((path) => [path, HFTOK_STACK])) : {},
    },
  };
});
