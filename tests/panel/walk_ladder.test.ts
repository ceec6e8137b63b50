// The ladder of a walk: what explain_token() and tokens_provided() answer, as a person is told it.
import assert from "node:assert/strict";
import {
  type Ladder,
  ladderOf,
  LEVELS,
  nextInLine,
  type Outcome,
  type WalkReader,
  type WalkRequest,
} from "../../edge/panel/src/lib/walk/ladder.ts";

import { endOf, levelTitle, reasonOf, turnOf } from "../../edge/panel/src/lib/walk/words.ts";
import { why as english } from "../../edge/panel/src/lib/messages/en/why.ts";
import { why as spanish } from "../../edge/panel/src/lib/messages/es/why.ts";

const NOBODY: WalkReader = { orgRole: null, isAdministrator: false };
const EVERYTHING: WalkRequest = { orgId: "acme", model: "m" };

/** The ladder of seven outcomes; `provided` lists the levels that would give a token alone. */
function ladder(
  outcomes: Outcome[],
  { request = EVERYTHING, reader = NOBODY, provided = [] as string[] } = {},
): Ladder {
  const rows = LEVELS.map((level, at) => ({
    level,
    outcome: outcomes[at] ?? "not_reached",
    secret_id: null,
    preview: null,
  }));
  return ladderOf(
    rows,
    LEVELS.map((level) => ({ level, provided: provided.includes(level) })),
    request,
    reader,
  );
}

const effects = (of: Ladder) => of.rungs.map(({ effect }) => effect);

Deno.test("the level that is used wins, and those behind it are not asked", () => {
  const won = ladder(["absent", "absent", "absent", "used"], { provided: ["user", "global"] });
  assert.deepEqual(
    effects(won),
    ["empty", "empty", "empty", "won", "not_asked", "not_asked", "not_asked"],
  );
  assert.equal(won.end, "won");
  assert.equal(won.last?.level, "user");
  assert.equal(nextInLine(won)?.level, "global");
});

Deno.test("a level that cannot be used stops the walk, and its owner must act", () => {
  const outcomes: Outcome[] = ["expired", "disabled", "invalid", "host_refused", "decrypt_failed"];
  const remedies = ["extend", "switch_on", "replace", "allow_host", "save_anew"];
  outcomes.forEach((outcome, at) => {
    const stopped = ladder(["absent", "absent", "absent", outcome]);
    assert.equal(stopped.end, "stopped", outcome);
    assert.equal(stopped.last?.level, "user");
    assert.equal(stopped.last?.remedy, remedies[at]);
    assert.equal(stopped.last?.actor, "you");
  });
});

Deno.test("a level that its owner lets the walk go on from is no end of it", () => {
  const on = ladder(["absent", "absent", "absent", "expired", "used"]);
  assert.deepEqual(effects(on).slice(3, 5), ["went_on", "won"]);
  assert.equal(on.last?.level, "org");
  const toNothing = ladder(["absent", "absent", "absent", "expired", "absent", "absent", "absent"]);
  assert.deepEqual(effects(toNothing)[3], "went_on");
  assert.equal(toNothing.end, "none");
  assert.equal(toNothing.last, null);
});

Deno.test("the environment is the last level: what it refuses ends the walk, and the operator must act", () => {
  const end = ladder([
    "absent",
    "absent",
    "absent",
    "absent",
    "absent",
    "absent",
    "host_refused",
  ]);
  assert.equal(end.end, "stopped");
  assert.equal(end.last?.actor, "operator");
  assert.equal(end.last?.remedy, "allow_host_in_catalogue");
});

Deno.test("a level that the request names nothing for is told apart from an empty one", () => {
  const outcomes: Outcome[] = Array(7).fill("absent");
  assert.deepEqual(effects(ladder(outcomes, { request: {} })), [
    "unnamed",
    "unnamed",
    "unnamed",
    "empty",
    "unnamed",
    "empty",
    "empty",
  ]);
  assert.equal(effects(ladder(outcomes, { request: { model: "m" } }))[1], "unnamed");
});

Deno.test("whose turn it is depends on who reads", () => {
  const turn = (at: number, outcome: Outcome, reader: WalkReader) => {
    const outcomes: Outcome[] = Array(7).fill("absent");
    outcomes[at] = outcome;
    return ladder([...outcomes.slice(0, at + 1)], { reader }).last?.actor;
  };
  const org = (orgRole: WalkReader["orgRole"]): WalkReader => ({ orgRole, isAdministrator: false });
  assert.equal(turn(4, "expired", org("member")), "org_admin");
  assert.equal(turn(4, "expired", org("admin")), "you");
  assert.equal(turn(4, "sealed", org("admin")), "org_owner");
  assert.equal(turn(4, "sealed", org("owner")), "you");
  assert.equal(turn(5, "invalid", NOBODY), "administrator");
  assert.equal(turn(5, "invalid", { orgRole: null, isAdministrator: true }), "you");
  assert.equal(turn(3, "rate_limited", NOBODY), "time");
});

Deno.test("a level or an outcome of a later hftok is left out, and breaks nothing", () => {
  const rows = [
    { level: "planet", outcome: "used", secret_id: null, preview: null },
    { level: "user", outcome: "melted", secret_id: null, preview: null },
    { level: "org", outcome: "constructor", secret_id: null, preview: null },
    { level: "global", outcome: "used", secret_id: null, preview: null },
  ];
  const left = ladderOf(rows, [], {}, NOBODY);
  assert.deepEqual(left.rungs.map(({ level }) => level), ["global"]);
});

Deno.test("each level and outcome has words in both languages, and who must act is said where something is wrong", () => {
  const outcomes: Outcome[] = [
    "used",
    "absent",
    "expired",
    "disabled",
    "invalid",
    "rate_limited",
    "host_refused",
  ];
  outcomes.push("not_member", "decrypt_failed", "sealed");
  for (const words of [english, spanish]) {
    for (const outcome of outcomes) {
      for (let at = 0; at < LEVELS.length; at++) {
        const walked: Outcome[] = [...Array(at).fill("absent"), outcome];
        const all = ladder(walked, { provided: ["environment"] });
        const said = all.rungs.map((rung) => reasonOf(rung, all, words));
        for (const text of [...said, endOf(all, words)]) {
          assert.match(text, /^\p{Lu}.*\.$/u, `${outcome} at ${at}`);
        }
        const turns = all.rungs.filter((rung) => turnOf(rung, words) !== null);
        assert.equal(turns.length, ["used", "absent"].includes(outcome) ? 0 : 1, `${outcome} at ${at}`);
      }
    }
  }
});

Deno.test("what a level says fits what it did to the walk", () => {
  const first = (of: Ladder, at: number) => {
    const rung = of.rungs[at];
    assert.ok(rung);
    return reasonOf(rung, of, english, { expired: "1 May" });
  };
  const stopped = ladder(["expired"], { provided: ["org"] });
  assert.equal(first(stopped, 0), "Its time was over on 1 May. The walk stops here.");
  assert.equal(first(stopped, 4), "The walk stopped above. A key that can be used waits here.");
  const on = ladder(["disabled", "used"]);
  assert.equal(first(on, 0), "It is switched off. Its owner lets the next level be asked.");
  assert.equal(first(on, 1), "The organisation pays for the request.");
  const none = ladder(Array(7).fill("absent"), { request: { model: "m" } });
  assert.equal(first(none, 1), "The request names no organisation.");
  assert.equal(first(none, 6), "There is no key.");
  const levels = Object.fromEntries(LEVELS.map((level) => [level, level])) as Record<
    typeof LEVELS[number],
    string
  >;
  assert.equal(levelTitle("org", english, levels, { orgId: "acme" }), "The key of acme");
  assert.equal(levelTitle("org", english, levels, {}), "org");
});
