// Real models and texts that lie outside the repository; tests of them skip, saying why, where these are absent.
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./built.ts";

const MODELS = process.env.COMP_MODELS ?? join(tmpdir(), "comp-acceptance");
const SHARED_DATA = join(process.env.COMP_SHARED ?? join(ROOT, "../shared"), "data");

/** Python with transformers, beside the models. */
export const PYTHON: string = join(MODELS, "venv/bin/python");

export const modelPath = (name: string): string => join(MODELS, name);

/** Why a test cannot run; undefined when all paths and the texts are there. */
export function whyAbsent(paths: readonly string[]): string | undefined {
  const missing = [...paths, SHARED_DATA].find((path) => !existsSync(path));
  return missing === undefined ? undefined : `${missing} is absent`;
}

/** The beginning of what lies in each folder of texts. */
export function sampleTexts(bytes: number): { name: string; text: string }[] {
  const folders = readdirSync(SHARED_DATA, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => ({ name, text: beginningOf(join(SHARED_DATA, name), bytes) }));
}

function beginningOf(folder: string, bytes: number): string {
  const file = readdirSync(folder).sort()[0]!;
  const buffer = Buffer.alloc(bytes);
  const handle = openSync(join(folder, file), "r");
  const length = readSync(handle, buffer, 0, bytes, 0);
  closeSync(handle);
  // a character that the cut runs through is left out
  return new TextDecoder().decode(buffer.subarray(0, length), { stream: true });
}
