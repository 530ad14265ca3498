/** Puts the page together: draws head, sections and notices into the places of `index.html` behind each change, and follows the address. */
import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./parts.css";
import { App } from "./app.ts";
import { checkpointsView } from "./checkpoints_view.ts";
import { configView } from "./config_view.ts";
import { type Child, h, patch } from "./dom.ts";
import { errorsView } from "./errors_view.ts";
import { graphView } from "./graph_view.ts";
import { headView, navView, noticesView } from "./head.ts";
import { empty, markScrolling } from "./parts.ts";
import { routeOf, SECTIONS, vertexAddress } from "./route.ts";
import { applyScheme } from "./scheme.ts";
import { stateView } from "./state_view.ts";
import { tokenView } from "./token_view.ts";

const place = (id: string): HTMLElement => {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
};

function section(app: App): Child {
  if (app.needsToken !== "no") return tokenView(app);
  const { job } = app;
  if (!job) return empty(app.connection.state === "waiting" ? "The job does not answer. Trying again …" : "Waiting for the job …");
  switch (app.route.section) {
    case "graph": return graphView(app, job);
    case "checkpoints": return checkpointsView(app);
    case "errors": return errorsView(app, job);
    case "state": return stateView(app, job);
    case "config": return configView(app);
  }
}

function draw(app: App): void {
  patch(place("head"), headView(app));
  patch(place("nav"), navView(app));
  patch(place("notices"), noticesView(app));
  patch(place("main"), [h("div", { key: app.needsToken !== "no" ? "token" : app.route.section }, section(app))]);
  markScrolling(place("main"));
  const name = app.route.vertex ?? SECTIONS.find(([id]) => id === app.route.section)?.[1];
  document.title = `${app.job?.job ?? "weir"}: ${name ?? ""}`;
}

/** Takes the reader where the address leads, and the focus along: to a vertex's details, or back to where they were opened from. */
function follow(app: App): void {
  const before = app.route;
  app.route = routeOf(location.hash);
  draw(app);
  const at = app.route.vertex !== null ? "#vertex-heading" : before.vertex !== null && app.route.section === "graph" ? `a.vertex[href="${CSS.escape(vertexAddress(before.vertex))}"]` : null;
  const target = at === null ? null : document.querySelector<HTMLElement>(at);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView({ block: "nearest" });
  if (app.route.section !== before.section) place("main").focus({ preventScroll: true });
}

applyScheme();
const app = new App();
// What nobody sees is drawn when it is looked at.
app.start(() => !document.hidden && draw(app));
document.addEventListener("visibilitychange", () => app.changed());
addEventListener("hashchange", () => follow(app));
// The layout of the graph and the width of the charts follow the window; so do ages where no document comes.
addEventListener("resize", () => app.changed());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.changed());
setInterval(() => app.connection.state !== "live" && app.changed(), 1000);
document.getElementById("skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  place("main").focus();
});
