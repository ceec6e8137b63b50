// The page of models; "Why this token?" of a model leads to the page that explains it.
import { useNavigate } from "react-router";
import { ModelKeys } from "../../lib/models/model_keys.tsx";

/** The page. */
export function ModelsPage() {
  const navigate = useNavigate();
  return (
    <ModelKeys
      onWhy={({ provider, model }) => void navigate(`/why?${new URLSearchParams({ provider, model })}`)}
    />
  );
}
