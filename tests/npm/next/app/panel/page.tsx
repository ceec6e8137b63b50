"use client";
// The panel's components in a page: rendered on the server, then alive in the browser.
import { HftokProvider, Integrations, useMessages } from "hftok-panel";
import "hftok-panel/style.css";

function Title() {
    const { integrations } = useMessages();
    return <h2>{`From a hook: ${integrations.title}`}</h2>;
}

export default function Page() {
    const connection = { rest: "/rest/v1", functions: "/functions/v1", getToken: () => "a.b.c", user: "ana" };
    return (
        <HftokProvider connection={connection}>
            <Title />
            <Integrations />
        </HftokProvider>
    );
}
