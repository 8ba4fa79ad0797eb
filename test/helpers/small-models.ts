// Model folders that can be pruned as a whole in little time.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PruneRequest } from "../../src/node/prune.ts";
import { DEMO_MODEL } from "./built.ts";
import { tinyPath } from "./fixtures.ts";
import { prose } from "./prune-demo.ts";
import { safetensorsBytes } from "./safetensors-bytes.ts";
import { readConfig } from "./written.ts";

/** The demo model with another config.json. */
export function demoCopy(
  folder: string,
  change: (config: Record<string, unknown>) => Record<string, unknown> = (config) => config,
): string {
  const copy = join(folder, "demo");
  cpSync(DEMO_MODEL, copy, { recursive: true });
  writeFileSync(join(copy, "config.json"), JSON.stringify(change(readConfig(DEMO_MODEL))));
  return copy;
}

/** The first layers of the demo model, with its embeddings, its last norm and its tokenizer. */
export function shortDemo(folder: string, layers: number): string {
  const copy = demoCopy(folder, (config) => ({ ...config, num_hidden_layers: layers }));
  const file = join(copy, "model.safetensors");
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const entries = Object.entries(
    JSON.parse(bytes.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>,
  );
  const kept = entries.filter(([name]) => name !== "__metadata__" && !(layerOf(name) >= layers));
  const parts: Uint8Array[] = [];
  let size = 0;
  const header = kept.map(([name, { data_offsets: offsets, ...rest }]) => {
    const data = bytes.subarray(start + offsets[0], start + offsets[1]);
    parts.push(data);
    size += data.length;
    return [name, { ...rest, data_offsets: [size - data.length, size] }] as const;
  });
  writeFileSync(file, Buffer.concat([safetensorsBytes(Object.fromEntries(header), 0), ...parts]));
  return copy;
}

/** NaN for a tensor of no layer. */
const layerOf = (name: string): number => Number(/\.layers\.(\d+)\./.exec(name)?.[1]);

/** Characters, one a token: the tiny checkpoints know 48 or 96 tokens and have no tokenizer. Of those of 48 all letters are known. */
const CHARACTERS = [
  ..." abcdefghijklmnopqrstuvwxyz",
  ..."!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`{|}~\n",
];

/** A tiny checkpoint with a tokenizer. */
export function tinyWithTokenizer(folder: string, family: string): string {
  const copy = join(folder, family);
  cpSync(tinyPath(family), copy, { recursive: true });
  const config = readConfig(copy);
  const { vocab_size: size } = (config.text_config ?? config) as { vocab_size: number };
  const known = CHARACTERS.slice(0, size);
  const vocab = Object.fromEntries(known.map((text, id) => [text, id]));
  const tokenizer = { version: "1.0", added_tokens: [], model: { type: "BPE", vocab, merges: [] } };
  writeFileSync(join(copy, "tokenizer.json"), JSON.stringify(tokenizer));
  return copy;
}

/** Few windows of text that a tiny checkpoint's tokenizer knows. */
export const TINY_WINDOWS: Pick<PruneRequest, "calibration" | "samples" | "context" | "multipleOf"> = {
  calibration: [{ name: "letters.txt", text: prose.text.toLowerCase().replace(/[^ a-z]/g, "") }],
  samples: 8,
  context: 24,
  multipleOf: 8,
};
