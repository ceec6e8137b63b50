// Verification of what a user may change: right away, or in the background.
//
// Must stay true:
// - The service's key is used on behalf of a user only after hftok let this user make or change the integration, or showed it as theirs.
// - Two verifications of the same credentials at a time are one request to the provider, as far as one instance knows. Whoever shares one has
//   not begun another: that would have no end.
// - A user begins no more of them than a pace allows; what is not begun waits for the schedule.
// - A verification goes on when whoever began it has left: others see its status.
import { inBackground } from "../_shared/background.ts";
import { type Begun, type Hftok, HftokError, type Verification } from "../_shared/client/mod.ts";
import { Pace } from "../_shared/pace.ts";
import { refusing } from "../_shared/refusal.ts";
import { log } from "../_shared/serve.ts";
import type { Settings } from "../_shared/settings.ts";
import { service, type User } from "../_shared/user.ts";

/** An integration as its user sees it, of which these members are needed. */
export interface Seen {
  id: string;
  version: number | null;
}

/** A verification that is under way. */
interface Run {
  begun: Promise<Begun>;
  done: Promise<Verification>;
}

/** Verifies integrations for a function. */
export class Verifier {
  readonly #name: string;
  readonly #hftok: Hftok;
  readonly #underWay = new Map<string, Run>();
  readonly #pace = Pace.ofTests();

  /** `name` is the function's, for its log. */
  constructor(name: string, settings: Settings) {
    this.#name = name;
    this.#hftok = service(settings);
  }

  /** Begins with one in the background. False when that is not possible: the change that was made stands, and the schedule comes later. */
  async begin(seen: Seen, user: User): Promise<boolean> {
    if (this.#pace.wait(user.id) > 0) return false;
    const { begun, done } = this.#run(seen, user);
    // When it does not even begin, that is said below.
    inBackground(this.#name, [begun.then(() => done.then(() => {}, unusable), () => {})]);
    try {
      await begun;
      return true;
    } catch (error) {
      if (!(error instanceof HftokError)) throw error;
      log(this.#name, { beginning: "failed", code: error.code ?? error.kind });
      return false;
    }
  }

  /** Verifies one now. */
  async test(seen: Seen, user: User): Promise<Verification> {
    this.#pace.admit(user.id);
    return await refusing("service", this.#run(seen, user).done);
  }

  #run({ id, version }: Seen, user: User): Run {
    const key = `${id} ${version}`;
    const present = this.#underWay.get(key);
    if (present) return present;
    const begun = this.#hftok.integrations.begin(id, user.id);
    const done = begun
      .then((it) => this.#hftok.integrations.verify(it))
      .finally(() => this.#underWay.delete(key));
    // Not everybody who shares it waits for both.
    begun.catch(() => {});
    done.catch(() => {});
    const run = { begun, done };
    this.#underWay.set(key, run);
    return run;
  }
}

/** It was deleted or switched off by now, which is no trouble. */
function unusable(error: unknown): void {
  if (error instanceof HftokError && (error.kind === "not_found" || error.kind === "unusable")) return;
  throw error;
}
