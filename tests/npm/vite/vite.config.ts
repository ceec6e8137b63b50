import { defineConfig } from "vite";

// Without the polyfill, which wants a document: the test runs under Node what is built for browsers.
export default defineConfig({ build: { target: "es2022", modulePreload: { polyfill: false } } });
