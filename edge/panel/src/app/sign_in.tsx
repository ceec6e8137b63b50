// The page to sign in: with Supabase, or as one of the people to try.
import { type FormEvent, useEffect, useState } from "react";
import { ArrowRight } from "lucide-react";
import { Banner, Button, Skeleton, TextField, useFrame, useMessages } from "../lib/index.ts";
import type { Config } from "./config.ts";
import { Settings } from "./navigation.tsx";
import type { Preferences } from "./preferences.ts";
import type { Session } from "./session.ts";
import { Logo, Splash } from "./splash.tsx";
import type { SupabaseSignIn } from "./supabase_session.ts";
import { become, people, type Person, restored } from "./try_session.ts";

/** What the page is given. */
export interface SignInProps {
  config: Config;
  preferences: Preferences;
  onSession: (session: Session) => void;
  /** The session has ended somewhere else. */
  onEnd: () => void;
}

/** The page to sign in. */
export function SignIn({ config, preferences, onSession, onEnd }: SignInProps) {
  const frame = useFrame();
  const { signIn } = useMessages();
  const [isLooking, setLooking] = useState(true);
  const [supabase, setSupabase] = useState<SupabaseSignIn | null>(null);
  const [isUnreachable, setUnreachable] = useState(false);
  useEffect(() => {
    let isCurrent = true;
    const look = config.auth === "try"
      ? restored()
      : import("./supabase_session.ts").then(({ SupabaseSignIn }) => {
        const made = SupabaseSignIn.of(config);
        made.onEnd(onEnd);
        setSupabase(made);
        return made.restored();
      });
    look.then(
      (session) => isCurrent && session && onSession(session),
      () => isCurrent && setUnreachable(true),
    )
      .finally(() => isCurrent && setLooking(false));
    return () => {
      isCurrent = false;
    };
  }, [config]);
  if (isLooking) return <Splash />;
  return (
    <div {...frame} className="hftok app-sign-in">
      <main className="app-sign-in-card">
        <div className="app-sign-in-head">
          <Logo size={44} />
          <h1 className="hftok-title">{config.auth === "try" ? signIn.tryTitle : signIn.title}</h1>
          <p className="hftok-muted">{config.auth === "try" ? signIn.tryBody : signIn.tagline}</p>
        </div>
        {isUnreachable && <Banner tone="bad" title={signIn.unreachable} announce="assertive" />}
        {config.auth === "try" && <PeopleToTry onSession={onSession} />}
        {supabase && <PasswordForm supabase={supabase} onSession={onSession} />}
      </main>
      <Settings preferences={preferences} />
    </div>
  );
}

function PeopleToTry({ onSession }: Pick<SignInProps, "onSession">) {
  const { signIn } = useMessages();
  const [known, setKnown] = useState<Person[] | null>(null);
  const [isUnreachable, setUnreachable] = useState(false);
  useEffect(() => void people().then(setKnown, () => setUnreachable(true)), []);
  const enter = (person: Person) => void become(person).then(onSession, () => setUnreachable(true));
  if (isUnreachable) return <Banner tone="bad" title={signIn.unreachable} announce="assertive" />;
  if (known === null) return <Skeleton lines={3} height="row" />;
  return (
    <ul className="app-people">
      {known.map((person) => (
        <li key={person.id}>
          <button
            type="button"
            className="app-person-choice"
            onClick={() => enter(person)}
          >
            <span className="app-initial" aria-hidden>{person.name.slice(0, 1)}</span>
            <span className="app-person-name">
              {person.name}
              <span className="hftok-faint" lang="en">{person.about}</span>
            </span>
            <ArrowRight aria-hidden className="hftok-icon" />
          </button>
        </li>
      ))}
    </ul>
  );
}

function PasswordForm(
  { supabase, onSession }: { supabase: SupabaseSignIn } & Pick<SignInProps, "onSession">,
) {
  const { signIn } = useMessages();
  const [trouble, setTrouble] = useState<"wrong" | "unreachable" | null>(null);
  const [isPending, setPending] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setTrouble(null);
    setPending(true);
    supabase.enter(String(given.get("email")), String(given.get("password")))
      .then(
        (session) => session ? onSession(session) : setTrouble("wrong"),
        () => setTrouble("unreachable"),
      )
      .finally(() => setPending(false));
  };
  return (
    <form className="hftok-form" onSubmit={submit}>
      <TextField label={signIn.email} name="email" type="email" autoComplete="username" isRequired />
      <TextField
        label={signIn.password}
        name="password"
        type="password"
        autoComplete="current-password"
        isRequired
      />
      {trouble && <Banner tone="bad" title={signIn[trouble]} announce="assertive" />}
      <Button type="submit" variant="primary" isWide isPending={isPending}>{signIn.submit}</Button>
    </form>
  );
}
