/** What a file says of itself before it is sent: whether it is a WebAssembly component, how large it is, and its digest. */

/** The most that the API takes. */
const LARGEST = 33_554_432;

/** A file that was looked at. */
export interface Looked {
  bytes: number;
  /** SHA-256 in hex; `null` where the browser counts the page as insecure, and gives none. */
  digest: string | null;
  /** Why it is not sent. */
  problem: string | null;
}

/** Looks at the file; it is read as a whole only where it is small enough to be sent. */
export async function lookAt(file: Blob): Promise<Looked> {
  if (file.size > LARGEST) return { bytes: file.size, digest: null, problem: "it has more than 32 MiB, which is the most that is taken" };
  const content = await file.arrayBuffer();
  return { bytes: file.size, digest: await sha256(content), problem: problemOf(new Uint8Array(content, 0, Math.min(8, content.byteLength))) };
}

/** Why eight bytes are not the head of a component or a module; `null` where they are. */
export function problemOf(head: Uint8Array): string | null {
  const magic = [0x00, 0x61, 0x73, 0x6d];
  if (head.length < 8 || magic.some((byte, at) => head[at] !== byte)) return "it is no WebAssembly file";
  return null;
}

async function sha256(content: ArrayBuffer): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const hash = await crypto.subtle.digest("SHA-256", content);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
