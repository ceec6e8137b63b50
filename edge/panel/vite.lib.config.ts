// Builds the library into dist/lib. hftok-client is bundled in; React and what package.json names as dependencies are not.
import { defineConfig } from "vite";
import react from "@vitejs/plugin-react";
import { TARGETS } from "./builds/targets.ts";

export default defineConfig({
  plugins: [react()],
  // The app's.
  publicDir: false,
  build: {
    outDir: "dist/lib",
    lib: { entry: "src/lib/index.ts", formats: ["es"], fileName: () => "index.js", cssFileName: "style" },
    rollupOptions: {
      external: [
        /^react($|\/)/,
        /^react-dom($|\/)/,
        /^react-aria-components($|\/)/,
        /^@tanstack\//,
        /^lucide-react($|\/)/,
        /^recharts($|\/)/,
      ],
      // Next.js draws it in the browser, wherever it is imported.
      output: { banner: '"use client";' },
    },
    minify: false,
    target: TARGETS,
    cssTarget: TARGETS,
  },
});
