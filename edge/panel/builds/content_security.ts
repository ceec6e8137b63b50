// Puts the Content-Security-Policy into the page. The gateway may send it as a header too, and adds there what a page cannot say itself
// (frame-ancestors).
//
// Must stay true: no script and no style but the build's own files.
import type { Plugin } from "vite";

/** The policy, in a meta element of the built page; `connect` are origins besides the page's own. */
export function contentSecurity(connect: string): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self' ${connect}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return {
    name: "hftok-content-security",
    // While it is developed, Vite's own styles and scripts are within the page.
    apply: "build",
    transformIndexHtml: () => [{
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: policy },
      injectTo: "head-prepend",
    }],
  };
}
