/**
 * Asks before anything is done, and shows what came of it.
 *
 * Invariant: what changes the job happens in `run` alone, and `run` is called for a submitted form alone: nothing is done by a single click.
 */
import type { App } from "./app.ts";
import { asApiError } from "./api.ts";
import { type Child, h, patch } from "./dom.ts";
import { facts, markScrolling, message } from "./parts.ts";

/** What an action came to. */
export interface Outcome {
  level: "ok" | "failed";
  text: string;
  hint?: string | null;
  rows?: [string, Child][];
}

/** One question of a dialog. */
export interface Question {
  title: string;
  /** What will happen, and what is asked for. */
  body: () => Child;
  /** What the button says that does it. */
  confirm: string;
  /** What it does cannot be taken back. */
  danger?: boolean;
  /** The question has no answer that could be confirmed. */
  blocked?: boolean;
  /** What is going on meanwhile. */
  progress?: () => Child;
  /** Does it, or leads on to the next question. */
  run: (values: FormData) => Promise<Outcome | Question>;
}

let number = 0;

/** Opens a dialog with a question; it stays until it is closed, and closes without an effect on what is under way. */
export function ask(app: App, first: Question): void {
  const id = `dialog-${++number}`;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", id);
  let question = first;
  let phase: { is: "asking"; refused: Outcome | null } | { is: "running" } | { is: "done"; outcome: Outcome } = { is: "asking", refused: null };

  const submit = async (event: Event) => {
    event.preventDefault();
    if (phase.is !== "asking" || question.blocked) return;
    const values = new FormData(event.target as HTMLFormElement);
    phase = { is: "running" };
    draw();
    const came = await question.run(values).catch((error: unknown): Outcome => {
      const { message: text, hint } = asApiError(error);
      return { level: "failed", text, hint };
    });
    if ("run" in came) {
      question = came;
      phase = { is: "asking", refused: null };
    } else {
      // In an open dialog it is read there.
      if (!dialog.open) app.notify(came.level, came.text, came.hint ?? null);
      phase = came.level === "ok" ? { is: "done", outcome: came } : { is: "asking", refused: came };
    }
    draw();
    focusWhatIsNext();
  };

  const focusWhatIsNext = () => {
    const next = dialog.querySelector<HTMLElement>(phase.is === "done" ? ".close" : ".outcome.failed, h2");
    if (dialog.open) next?.focus();
  };

  const outcome = ({ level, text, hint, rows }: Outcome) =>
    h("div", { class: `outcome notice ${level}`, tabindex: -1 }, message(text, hint), rows && facts(rows));

  const draw = () => {
    patch(dialog, [
      h("form", { onsubmit: submit, "aria-busy": String(phase.is === "running") },
        h("h2", { id, tabindex: -1 }, question.title),
        phase.is !== "done" && h("fieldset", { key: question.title, disabled: phase.is === "running", "aria-labelledby": id }, question.body()),
        h("div", { class: "outcomes", "aria-live": "polite" },
          phase.is === "running" && h("div", { class: "notice" }, h("p", null, "Under way …"), question.progress?.()),
          phase.is === "asking" && phase.refused && outcome(phase.refused),
          phase.is === "done" && outcome(phase.outcome)),
        h("div", { class: "buttons" },
          h("button", { type: "button", class: "close", onclick: () => dialog.close() }, phase.is === "asking" ? "Cancel" : "Close"),
          phase.is === "asking" && h("button", { type: "submit", class: question.danger ? "danger" : "primary", disabled: question.blocked === true }, question.confirm))),
    ]);
    markScrolling(dialog);
  };

  const stopFollowing = app.follow(() => phase.is === "running" && draw());
  dialog.addEventListener("close", () => {
    stopFollowing();
    dialog.remove();
  });
  document.body.append(dialog);
  draw();
  dialog.showModal();
}
