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

/** Checkpoints of make-tiny.py, one a row: what can be cut of it besides whole layers. */
export const FAMILY_FIXTURES: Readonly<Record<string, readonly ("neurons" | "heads")[]>> = {
  "dynamic-rope": ["neurons", "heads"],
  "yarn-rope": ["neurons", "heads"],
  qwen3: ["neurons", "heads"],
  phi3: ["neurons", "heads"],
  "phi3-longrope": ["neurons", "heads"],
  olmo2: ["neurons"],
  granite: ["neurons", "heads"],
  gpt2: ["neurons"],
  gemma: ["neurons", "heads"],
  gemma2: ["neurons", "heads"],
  ministral3: ["neurons", "heads"],
  smollm3: ["neurons", "heads"],
  olmo3: ["neurons"],
  opt: ["neurons"],
  "gpt-neox": ["neurons"],
  glm4: ["neurons", "heads"],
  exaone4: ["neurons", "heads"],
  "seed-oss": ["neurons", "heads"],
  hunyuan: ["neurons", "heads"],
  "ernie4.5": ["neurons", "heads"],
  arcee: ["neurons", "heads"],
  nemotron: ["neurons", "heads"],
  starcoder2: ["neurons", "heads"],
  stablelm: ["neurons"],
  "stablelm-parallel": ["neurons"],
  "gemma3-vlm": ["neurons", "heads"],
  lfm2: ["neurons", "heads"],
  "qwen3.5": ["neurons", "heads"],
};

/** Checkpoints of make-tiny.py whose layers have mixtures of experts. */
export const EXPERT_FIXTURES: readonly string[] = [
  "mixtral",
  "qwen2-moe",
  "qwen3-moe",
  "olmoe",
  "granite-moe",
  "gpt-oss",
  "glm4-moe",
  "lfm2-moe",
  "qwen3.5-moe",
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
