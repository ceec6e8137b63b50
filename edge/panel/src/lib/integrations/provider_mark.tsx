// The mark of a provider: its initials in a tile. Trademarks are their owners'; none is brought along.

/** A provider's tile; beside its name, so that it says nothing by itself. */
export function ProviderMark({ label }: { label: string }) {
  const [first = "", second = ""] = label.replace(/[^\p{L}\p{N} ]/gu, "").split(" ").filter((word) =>
    word !== ""
  );
  const initials = second === "" ? first.slice(0, 2) : first.slice(0, 1) + second.slice(0, 1);
  return <span aria-hidden className="hftok-monogram">{initials.toUpperCase()}</span>;
}
