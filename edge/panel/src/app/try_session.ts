// Signing in as one of the people of `make try-edge`: its gateway makes their JWTs. There are no passwords, so it runs on loopback only.
import type { Session } from "./session.ts";

/** Somebody to be. */
export interface Person {
  id: string;
  name: string;
  /** What they are, in English: "member of acme". */
  about: string;
}

const KEPT = "hftok-panel:person";
/** A JWT is asked for anew so long before it ends. */
const EARLY_MS = 60_000;

/** The people there are. */
export async function people(): Promise<Person[]> {
  const response = await fetch("/try/people");
  if (!response.ok) throw new Error("the people to try cannot be read");
  const { people }: { people: Person[] } = await response.json();
  return people;
}

/** Becomes somebody, also after the page is loaded again. */
export async function become(person: Person): Promise<Session> {
  let minted = await mint(person.id);
  sessionStorage.setItem(KEPT, person.id);
  return {
    user: person.id,
    name: person.name,
    getToken: async () => {
      if (minted.until - EARLY_MS < Date.now()) minted = await mint(person.id);
      return minted.token;
    },
    signOut: () => {
      sessionStorage.removeItem(KEPT);
      return Promise.resolve();
    },
  };
}

/** Who one was before the page was loaded again. */
export async function restored(): Promise<Session | null> {
  const id = sessionStorage.getItem(KEPT);
  if (id === null) return null;
  const person = (await people()).find((it) => it.id === id);
  return person ? await become(person) : null;
}

async function mint(id: string): Promise<{ token: string; until: number }> {
  const response = await fetch("/try/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ id }),
  });
  if (!response.ok) throw new Error("nobody can sign in");
  const { token, expires_in }: { token: string; expires_in: number } = await response.json();
  return { token, until: Date.now() + expires_in * 1000 };
}
