// Token ids against the programs whose ids they have to be: transformers for a folder, llama.cpp for a GGUF file.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { getLlama } from "node-llama-cpp";
import { describe, expect, test } from "vitest";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { modelPath, PYTHON, sampleTexts, whyAbsent } from "../helpers/models.ts";

const BYTES_OF_EACH_FOLDER = 60_000;

/** Every character below U+3000, white space of all kinds, and scripts that prose in English does not have. */
const RARE_TEXT = `${String.fromCodePoint(...Array.from({ length: 0x2fff }, (_, i) => i + 1))}
\u0085 \ufeff x\u200b\u3000y  \t\n\r\n\r 日本語テキスト한국어 العربية हिन्दी ไทย 😀👨‍👩‍👧 naïve e\u0301`;

const texts = (): { name: string; text: string }[] => [
  ...sampleTexts(BYTES_OF_EACH_FOLDER),
  { name: "rare characters", text: RARE_TEXT },
];

async function ownIds(model: string): Promise<number[][]> {
  const checkpoint = await openPath(modelPath(model));
  const tokenizer = await openTokenizer(checkpoint);
  await checkpoint.close();
  return texts().map(({ text }) => tokenizer.encode(text));
}

function transformersIds(model: string): number[][] {
  const script = join(import.meta.dirname, "transformers-ids.py");
  const input = JSON.stringify(texts().map(({ text }) => text));
  const { stdout, stderr, status } = spawnSync(PYTHON, [script, modelPath(model)], { input, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(String(stderr));
  return JSON.parse(String(stdout)) as number[][];
}

async function llamaCppIds(model: string): Promise<number[][]> {
  const llama = await getLlama({ gpu: false, build: "never" });
  const loaded = await llama.loadModel({ modelPath: modelPath(model), vocabOnly: true });
  // special tokens written in a text are recognised, as ours are; no space is put before it
  const ids = texts().map(({ text }) => [...loaded.tokenize(text, true, "trimLeadingSpace")].map(Number));
  await llama.dispose();
  return ids;
}

/** Names of the texts whose ids differ. */
function differing(own: readonly number[][], expected: readonly number[][]): string[] {
  const isSame = (i: number): boolean =>
    own[i]!.length === expected[i]!.length && own[i]!.every((id, at) => id === expected[i]![at]);
  return texts().flatMap(({ name }, i) => (isSame(i) ? [] : [name]));
}

describe.each(["smollm2-hf", "gemma3-hf"])("the folder %s", (model) => {
  test("has the ids of transformers", async ({ skip }) => {
    const reason = whyAbsent([modelPath(model), PYTHON]);
    skip(reason !== undefined, reason);
    expect(differing(await ownIds(model), transformersIds(model))).toEqual([]);
  });
});

describe.each(["smollm2-135m-instruct-q4_1.gguf", "gemma3-270m-q4_k_m.gguf"])("the file %s", (model) => {
  test("has the ids of llama.cpp", async ({ skip }) => {
    const reason = whyAbsent([modelPath(model)]);
    skip(reason !== undefined, reason);
    expect(differing(await ownIds(model), await llamaCppIds(model))).toEqual([]);
  });
});
