// Builds hooks.tsx into one script, into the folder that HEADLESS_OUT names.
import { join } from "node:path";
import process from "node:process";

const here = import.meta.dirname;

export default {
    root: here,
    configFile: false,
    logLevel: "error",
    // The panel's own packages: there are none here.
    resolve: {
        alias: ["react", "react-dom"].map((name) => ({
            find: new RegExp(`^${name}(?=/|$)`),
            replacement: join(here, "../../../edge/panel/node_modules", name),
        })),
    },
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
        outDir: process.env.HEADLESS_OUT,
        emptyOutDir: true,
        target: "esnext",
        lib: { entry: join(here, "hooks.tsx"), formats: ["es"], fileName: () => "hooks.js" },
    },
};
