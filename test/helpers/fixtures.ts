// Where the committed fixtures lie.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const FIXTURES = join(import.meta.dirname, "../fixtures");

export const TINY_FAMILIES: readonly string[] = [
  "llama",
  "llama-tied",
  "llama-bias",
  "llama-head-dim",
  "llama3-rope",
  "linear-rope",
  "llama-gelu",
  "mistral",
  "qwen2",
  "gemma3",
];

export const fixturePath = (...parts: string[]): string => join(FIXTURES, ...parts);
export const readJsonFixture = <T>(...parts: string[]): T =>
  JSON.parse(readFileSync(fixturePath(...parts), "utf8")) as T;

/** A tiny checkpoint that transformers wrote, with random weights. */
export const tinyPath = (family: string): string => fixturePath("tiny", family);

export interface ExpectedLogits {
  readonly ids: number[][];
  readonly shape: number[];
  readonly logits: number[];
}

/** What transformers computes for a tiny checkpoint. */
export const expectedLogits = (family: string): ExpectedLogits => readJsonFixture("tiny", family, "expected.json");
