// What a checkpoint of the audit says, which is a signed note of C2SP: a page shows its parts, and checks nothing.

/** The parts of a checkpoint. */
export interface Checkpoint {
  /** The name of the log. */
  origin: string;
  /** The number of events that it covers. */
  size: number;
  /** The root of the tree over them, in base64. */
  root: string;
}

/** The parts of the text that audit_head() gives; undefined for any other. */
export function checkpointOf(text: string): Checkpoint | undefined {
  const [origin, size, root, blank, signature] = text.split("\n");
  const isNote = blank === "" && signature?.startsWith("— ") === true;
  if (!isNote || !origin || !root || size === undefined || !/^[0-9]{1,15}$/.test(size)) return undefined;
  return { origin, size: Number(size), root };
}
