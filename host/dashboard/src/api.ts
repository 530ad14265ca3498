/** Speaks to the job, on the origin and below the path that the page came from. */

const TOKEN = "weir-token";

/** Why a request came to nothing, in the words of the job where it answered. */
export class ApiError extends Error {
  constructor(
    /** Of HTTP; 0 where nobody answered. */
    readonly status: number,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

/** The job's API; asks for a token where it is told that it needs one. */
export class Api {
  /** Called when a request was refused for want of the right token. */
  onUnauthorized: () => void = () => {};

  get token(): string | null {
    return sessionStorage.getItem(TOKEN);
  }

  /** Remembers the token for as long as this tab is open; `null` forgets it. */
  setToken(token: string | null): void {
    if (token === null) sessionStorage.removeItem(TOKEN);
    else sessionStorage.setItem(TOKEN, token);
  }

  /** `GET`, as JSON. */
  async get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    return (await this.request("GET", path, query)).json() as Promise<T>;
  }

  /** `POST` of JSON, or of a component's bytes; answered as JSON. */
  async post<T>(path: string, body?: unknown, query: Record<string, string> = {}): Promise<T> {
    return (await this.request("POST", path, query, body)).json() as Promise<T>;
  }

  /** The answer to a request, which was a success. */
  async request(method: string, path: string, query: Record<string, string> = {}, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const url = new URL(path, document.baseURI);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers: Record<string, string> = {};
    if (this.token !== null) headers["Authorization"] = `Bearer ${this.token}`;
    const init: RequestInit = { method, headers, cache: "no-store", credentials: "same-origin", redirect: "error" };
    if (signal) init.signal = signal;
    if (body instanceof Blob) {
      headers["Content-Type"] = "application/wasm";
      init.body = body;
    } else if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const answer = await fetch(url, init).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "the job does not answer", "it may have ended, or the connection to it is lost");
    });
    if (answer.ok) return answer;
    const refused = await refusal(answer);
    if (answer.status === 401) this.onUnauthorized();
    throw refused;
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  const said = (await answer.json().catch(() => null)) as { error?: { message?: unknown; hint?: unknown } } | null;
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  const message = text(said?.error?.message) ?? `the job answers ${answer.status}`;
  return new ApiError(answer.status, message, text(said?.error?.hint));
}

/** Something that a section asked for: what came last stays while it is asked for again. */
export class Remote<T> {
  data: T | null = null;
  error: ApiError | null = null;
  loading = false;
  #asked = 0;

  constructor(private readonly changed: () => void) {}

  /** Asks; of several questions the last one counts. */
  async load(ask: () => Promise<T>): Promise<void> {
    const asked = ++this.#asked;
    this.loading = true;
    this.changed();
    try {
      const data = await ask();
      if (asked === this.#asked) [this.data, this.error] = [data, null];
    } catch (error) {
      if (asked === this.#asked) this.error = asApiError(error);
    }
    if (asked !== this.#asked) return;
    this.loading = false;
    this.changed();
  }

  /** Forgets what came. */
  clear(): void {
    this.#asked += 1;
    [this.data, this.error, this.loading] = [null, null, false];
  }

  /** This weir has no such thing. */
  get missing(): boolean {
    return this.error?.status === 404 || this.error?.status === 405;
  }
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, error instanceof Error ? error.message : String(error), null);
}
