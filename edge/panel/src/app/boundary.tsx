// What stands there when a page has broken, instead of nothing.
//
// Must stay true: the error itself is not shown.
import { Component, type ReactNode } from "react";
import type { Messages } from "../lib/index.ts";
import { Trouble } from "./splash.tsx";

/** Catches what a page throws while it is drawn, and chunks of it that cannot be loaded. */
export class Boundary
  extends Component<{ messages: Messages["app"]; children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    const { messages, children } = this.props;
    if (!this.state.isBroken) return children;
    return (
      <Trouble
        title={messages.brokenTitle}
        action={
          <button
            type="button"
            className="hftok-button hftok-button-primary hftok-button-medium"
            onClick={() => location.reload()}
          >
            {messages.reload}
          </button>
        }
      >
        {messages.brokenBody}
      </Trouble>
    );
  }
}
