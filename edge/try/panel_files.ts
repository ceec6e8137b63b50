// The built panel as files, and the headers with which it should be served anywhere.
//
// Must stay true:
// - Nothing but files of the folder is served, whatever the path says.
// - No script, style, frame or connection but this origin's own.

/** The headers of every page and file. The page repeats the policy in itself, but for what only a header can say. */
export const SECURITY: Readonly<Record<string, string>> = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

const TYPES: Record<string, string> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};

/** A file of the panel, packed for whoever takes it so. A path without an ending is one of its pages, which it finds itself. */
export async function pageOf(folder: string | null, path: string, request: Request): Promise<Response> {
  if (folder === null) return plain(404, "The panel is not built: npm run build in edge/panel makes it.");
  const ending = path.match(/\.(\w+)$/)?.[1];
  const name = ending === undefined ? "/index.html" : path;
  const type = TYPES[ending ?? "html"];
  // Encoded characters are in no name of a build.
  const isName = /^(\/[\w-][\w.-]*)+$/.test(name);
  if (type === undefined || !isName) return plain(404, "There is no such file.");
  try {
    const { readable } = await Deno.open(folder + name);
    // What a build calls by its content never changes.
    const cache = name.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    const headers = { ...SECURITY, "Content-Type": type, "Cache-Control": cache, "Vary": "Accept-Encoding" };
    const isPacked = /^(text|application)\//.test(type) &&
      /\bgzip\b/.test(request.headers.get("Accept-Encoding") ?? "");
    if (!isPacked) return new Response(readable, { headers });
    const packed = readable.pipeThrough(new CompressionStream("gzip"));
    return new Response(packed, { headers: { ...headers, "Content-Encoding": "gzip" } });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return plain(404, "There is no such file.");
    throw error;
  }
}

function plain(status: number, text: string): Response {
  const headers = { ...SECURITY, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" };
  return new Response(`${text}\n`, { status, headers });
}
