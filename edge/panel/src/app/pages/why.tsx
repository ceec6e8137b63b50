// The page that explains a walk. The request stands in the address, so that other pages lead to it; a value never does.
import { RouterProvider } from "react-aria-components";
import { useNavigate, useSearchParams } from "react-router";
import { WhyThisToken } from "../../lib/walk/why_this_token.tsx";
import type { WalkPlace } from "../../lib/walk/ladder_view.tsx";

/** The page. */
export function WhyPage() {
  const navigate = useNavigate();
  const [asked] = useSearchParams();
  const given = (name: string) => asked.get(name) ?? undefined;
  return (
    <RouterProvider navigate={(to) => void navigate(to)}>
      <WhyThisToken
        key={asked.toString()}
        provider={given("provider")}
        orgId={given("org")}
        model={given("model")}
        linkTo={pageOf}
      />
    </RouterProvider>
  );
}

/** The page where something can be done about a level. */
function pageOf({ level, provider }: WalkPlace): string | undefined {
  switch (level) {
    case "user_model":
      return "/models";
    case "user":
      return provider === "huggingface" ? "/huggingface" : "/providers";
    case "org":
    case "org_model":
      return "/organisation";
    case "global":
    case "global_model":
      return "/system";
    case "environment":
      return undefined;
  }
}
