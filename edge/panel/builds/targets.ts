// The browsers that app and library are built for: those that know `light-dark()` and container queries, since May 2024.

/** As the bundler names them. */
export const TARGETS = ["chrome123", "edge123", "firefox120", "safari17.5"];
