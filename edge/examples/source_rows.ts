// The application's table, read through PostgREST in the order of its key.
//
// Must stay true: every row that is there from beginning to end is read once, however many there are and whatever is
// written meanwhile; of an answer that is an error only the status is kept.

/** The table in which the application keeps its encrypted keys. */
export interface Source {
  schema: string;
  table: string;
  /** A unique column. */
  key: string;
  /** The column with the user's id; empty where there are only organisations. */
  owner: string;
  /** The column with the organisation's id; empty where there are only users. */
  org: string;
  /** The column with the model that a value is for; empty where values are for all models. */
  model: string;
  /** The column with the provider's name, or one name for all. */
  provider: { column: string } | { name: string };
  /** The column with the encrypted value. */
  value: string;
  batch: number;
}

/** One row. */
export interface SourceRow {
  key: string;
  owner: string;
  org: string;
  model: string;
  provider: string;
  value: string;
}

/** The address of PostgREST, and the headers to reach it with. */
interface Reader {
  url: string;
  token: string;
  apikey?: string;
}

/** The rows, a batch at a time. */
export class SourceRows implements AsyncIterable<SourceRow[]> {
  readonly #source: Source;
  readonly #reader: Reader;

  constructor(source: Source, reader: Reader) {
    this.#source = source;
    this.#reader = reader;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceRow[]> {
    let after: string | undefined;
    while (true) {
      const rows = await this.#read(after);
      // Only an empty answer is the end: PostgREST may give fewer rows at once than it is asked for.
      if (rows.length === 0) return;
      yield rows;
      after = rows.at(-1)?.key;
    }
  }

  async #read(after: string | undefined): Promise<SourceRow[]> {
    const { schema, table, key, owner, org, model, provider, value, batch } = this.#source;
    const columns = { key, owner, org, model, value, provider: "column" in provider ? provider.column : "" };
    const query = new URLSearchParams({
      // As text, because a number of 64 bits is more than JSON's numbers hold.
      select: Object.entries(columns).filter(([, column]) => column !== "")
        .map(([name, column]) => `${name}:${column}::text`).join(","),
      order: `${key}.asc`,
      limit: String(batch),
      ...(after === undefined ? {} : { [key]: `gt.${after}` }),
    });
    const { url, token, apikey } = this.#reader;
    const answer = await fetch(`${url.replace(/\/+$/, "")}/${encodeURIComponent(table)}?${query}`, {
      redirect: "error",
      headers: { Authorization: `Bearer ${token}`, "Accept-Profile": schema, ...(apikey ? { apikey } : {}) },
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new SourceUnreadable(answer.status);
    }
    const rows: Partial<Record<keyof SourceRow, string | null>>[] = await answer.json();
    return rows.map((row) => ({
      key: row.key ?? "",
      owner: row.owner ?? "",
      org: row.org ?? "",
      model: row.model ?? "",
      provider: "name" in provider ? provider.name : row.provider ?? "",
      value: row.value ?? "",
    }));
  }
}

/** The table could not be read. */
export class SourceUnreadable extends Error {
  constructor(status: number) {
    super(`The table cannot be read (status ${status}).`);
  }
}
