// The shell: navigation beside the page, or behind a button where there is no room; and the pages themselves.
import { Suspense, useEffect, useRef, useState } from "react";
import { Navigate, Route, Routes, useLocation, useNavigate } from "react-router";
import { Dialog as AriaDialog, Modal, ModalOverlay } from "react-aria-components";
import { Compass, Menu, X } from "lucide-react";
import {
  Button,
  EmptyState,
  Frame,
  IconButton,
  Loaded,
  type Me,
  Skeleton,
  useFrame,
  useMe,
  useMessages,
} from "../lib/index.ts";
import { Navigation } from "./navigation.tsx";
import { type Page, PAGES } from "./pages.ts";
import type { Preferences } from "./preferences.ts";
import type { Session } from "./session.ts";
import { Logo } from "./splash.tsx";

/** What the shell is given. */
export interface ShellProps {
  session: Session;
  preferences: Preferences;
  onLeave: () => void;
}

/** The app for somebody who is signed in. */
export function Shell(props: ShellProps) {
  const frame = useFrame();
  const { app } = useMessages();
  const me = useMe();
  const { session, onLeave } = props;
  const hasEnded = me.error?.code === "unauthenticated";
  useEffect(() => {
    if (hasEnded) void session.signOut().then(onLeave, onLeave);
  }, [hasEnded, session, onLeave]);
  return (
    <div {...frame} className="hftok app-shell">
      <a className="app-skip" href="#content">{app.skip}</a>
      <aside className="app-side">
        <Navigation {...props} me={me.data} />
      </aside>
      <TopBar {...props} me={me.data} />
      <main id="content" className="app-main" tabIndex={-1}>
        <Loaded reading={me} skeleton={<PageSkeleton />}>
          {(me) => <Pages me={me} />}
        </Loaded>
      </main>
    </div>
  );
}

function Pages({ me }: { me: Me }) {
  const pages = PAGES.filter(({ isFor }) => isFor(me));
  useArrival(pages);
  return (
    <Suspense fallback={<PageSkeleton />}>
      <Routes>
        <Route path="/" element={<Navigate to={pages[0]?.path ?? "/"} replace />} />
        {pages.map(({ path, Component }) => <Route key={path} path={path} element={<Component />} />)}
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Suspense>
  );
}

/** Names the document after the page, and takes who uses a keyboard to its beginning when it changes. */
function useArrival(pages: Page[]): void {
  const messages = useMessages();
  const { pathname } = useLocation();
  const before = useRef(pathname);
  const title = pages.find(({ path }) => path === pathname)?.title(messages);
  useEffect(() => {
    document.title = title ? `${title} · hftok` : "hftok";
    if (before.current === pathname) return;
    before.current = pathname;
    globalThis.scrollTo(0, 0);
    document.getElementById("content")?.focus({ preventScroll: true });
  }, [pathname, title]);
}

function NotFound() {
  const { app } = useMessages();
  const navigate = useNavigate();
  return (
    <Frame>
      <EmptyState
        icon={Compass}
        title={app.notFoundTitle}
        action={<Button onPress={() => void navigate("/")}>{app.home}</Button>}
      >
        {app.notFoundBody}
      </EmptyState>
    </Frame>
  );
}

function PageSkeleton() {
  return (
    <Frame>
      <Skeleton lines={2} />
      <Skeleton lines={2} height="card" />
    </Frame>
  );
}

function TopBar(props: ShellProps & { me: Me | undefined }) {
  const { app, common } = useMessages();
  const frame = useFrame();
  const [isOpen, setOpen] = useState(false);
  const { pathname } = useLocation();
  useEffect(() => setOpen(false), [pathname]);
  return (
    <header className="app-top">
      <Logo />
      <span className="app-name">hftok</span>
      <IconButton label={app.menu} icon={Menu} onPress={() => setOpen(true)} aria-expanded={isOpen} />
      <ModalOverlay
        {...frame}
        className="hftok hftok-overlay app-drawer-veil"
        isOpen={isOpen}
        onOpenChange={setOpen}
        isDismissable
      >
        <Modal className="app-drawer">
          <AriaDialog aria-label={app.menu} className="app-drawer-inside">
            <IconButton slot="close" label={common.close} icon={X} />
            <Navigation {...props} onFollow={() => setOpen(false)} />
          </AriaDialog>
        </Modal>
      </ModalOverlay>
    </header>
  );
}
