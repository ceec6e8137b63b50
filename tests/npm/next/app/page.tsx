"use client";
// In the browser: as the user.
import { useState } from "react";
import { Hftok, HftokError } from "hftok-client";

export default function Page() {
    const [said, say] = useState("");
    const hftok = new Hftok({ url: "/rest/v1", token: "of the session" });
    const save = async () => {
        try {
            say((await hftok.save("openai", "typed")).preview ?? "");
        } catch (error) {
            say(error instanceof HftokError ? error.message : "");
        }
    };
    return <button onClick={save}>Save {said}</button>;
}
