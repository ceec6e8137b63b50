// The frame that every component of the library stands in: our tokens, the language, the theme; its width decides the layout.
import type { ReactNode } from "react";
import { usePanel } from "../connection/provider.tsx";

/** The class and attributes that carry tokens and theme; for what is drawn outside of a frame, as dialogs are. */
export function useFrame(): { className: string; lang: string; "data-hftok-theme": string } {
  const { locale, theme } = usePanel();
  return { className: "hftok", lang: locale, "data-hftok-theme": theme };
}

/** The props of a frame. */
export interface FrameProps {
  children: ReactNode;
  /** `narrow` for a form alone, whose lines would else be too long. */
  width?: "full" | "narrow";
}

/** Puts a component into a frame. */
export function Frame({ children, width = "full" }: FrameProps) {
  const frame = useFrame();
  return (
    <div {...frame} className={`hftok hftok-frame hftok-frame-${width}`}>
      <div className="hftok-stack">{children}</div>
    </div>
  );
}
