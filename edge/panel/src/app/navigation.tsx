// The navigation: the pages that are somebody's, and at its end who they are and how they like it.
import { NavLink } from "react-router";
import { LogOut } from "lucide-react";
import { IconButton, LOCALES, type Me, Select, type Theme, useMessages } from "../lib/index.ts";
import { type Page, PAGES } from "./pages.ts";
import type { Preferences } from "./preferences.ts";
import type { ShellProps } from "./shell.tsx";
import { Logo } from "./splash.tsx";

const GROUPS: Page["group"][] = ["keys", "organisation", "administration"];

/** What the navigation is given. */
export interface NavigationProps extends ShellProps {
  /** Undefined until it is known. */
  me: Me | undefined;
  /** Called when a link is followed, also to the page that one is on. */
  onFollow?: () => void;
}

/** The navigation. */
export function Navigation({ me, session, preferences, onLeave, onFollow }: NavigationProps) {
  const messages = useMessages();
  const pages = me ? PAGES.filter(({ isFor }) => isFor(me)) : [];
  return (
    <div className="app-navigation">
      <div className="app-brand">
        <Logo />
        <span className="app-name">hftok</span>
      </div>
      <nav aria-label={messages.app.navigation} className="app-links">
        {GROUPS.map((group) => (
          <PageGroup
            key={group}
            title={messages.app[group]}
            pages={pages.filter((it) => it.group === group)}
            onFollow={onFollow}
          />
        ))}
      </nav>
      <div className="app-account">
        <Settings preferences={preferences} />
        <div className="app-person">
          <span className="app-initial" aria-hidden>{initials(session.name)}</span>
          <span className="app-person-name">
            {session.name}
            {me?.isAdministrator && <span className="hftok-faint">{messages.app.administrator}</span>}
          </span>
          <IconButton
            label={messages.app.signOut}
            icon={LogOut}
            onPress={() => void session.signOut().then(onLeave)}
          />
        </div>
      </div>
    </div>
  );
}

function PageGroup({ title, pages, onFollow }: { title: string; pages: Page[]; onFollow?: () => void }) {
  const messages = useMessages();
  if (pages.length === 0) return null;
  return (
    <div className="app-group">
      <p className="app-group-title">{title}</p>
      <ul>
        {pages.map(({ path, icon: Icon, title }) => (
          <li key={path}>
            <NavLink to={path} className="app-link" onClick={onFollow}>
              <Icon aria-hidden className="hftok-icon" />
              {title(messages)}
            </NavLink>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Language and colours. */
export function Settings(
  { preferences: { locale, theme, setLocale, setTheme } }: { preferences: Preferences },
) {
  const { app } = useMessages();
  const themes: { id: Theme; label: string }[] = [
    { id: "system", label: app.themeSystem },
    { id: "light", label: app.themeLight },
    { id: "dark", label: app.themeDark },
  ];
  return (
    <div className="app-settings">
      <Select
        label={app.language}
        isLabelHidden
        choices={LOCALES}
        value={locale}
        onChange={setLocale}
      />
      <Select label={app.theme} isLabelHidden choices={themes} value={theme} onChange={setTheme} />
    </div>
  );
}

function initials(name: string): string {
  const [first = "", second = ""] = name.split(/[\s.@_-]+/);
  return (first.slice(0, 1) + second.slice(0, 1)).toUpperCase();
}
