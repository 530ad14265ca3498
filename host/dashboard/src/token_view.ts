/** Asks for the token where the job wants one. It stays in this tab's session storage and goes nowhere but to the job. */
import type { App } from "./app.ts";
import { type Child, h } from "./dom.ts";
import { field } from "./parts.ts";

export function tokenView(app: App): Child {
  const submit = (event: Event) => {
    event.preventDefault();
    const token = String(new FormData(event.target as HTMLFormElement).get("token")).trim();
    if (token) app.useToken(token);
  };
  return h("form", { class: "panel token", onsubmit: submit },
    h("h2", null, "This job wants a token"),
    h("p", null, "The one that the job was started with, in WEIR_API_TOKEN. It is kept until this tab is closed."),
    app.needsToken === "wrong" && h("p", { class: "notice failed", role: "alert" }, "That was not the right one."),
    field("Token", h("input", { name: "token", type: "password", required: true, autocomplete: "off" })),
    h("button", { type: "submit", class: "primary" }, "Go on"));
}
