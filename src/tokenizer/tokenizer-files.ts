// The text files that a written checkpoint needs for its tokenizer.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { tokenizerFromGguf } from "./from-gguf/from-gguf.ts";

/** What transformers and other tools look for. tokenizer.model is binary and only feeds slow tokenizers: left out. */
const COMPANIONS = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
];

/** File name → text: a folder's own files unchanged, for GGUF tokenizer.json and tokenizer_config.json made from it. */
export async function tokenizerFiles(checkpoint: Checkpoint): Promise<Map<string, string>> {
  if (checkpoint.format === "gguf") {
    const { json, config } = tokenizerFromGguf(checkpoint);
    return new Map([
      ["tokenizer.json", render({ version: "1.0", truncation: null, padding: null, ...json })],
      ["tokenizer_config.json", render(config)],
    ]);
  }
  const files = new Map<string, string>();
  for (const file of COMPANIONS) {
    const text = await checkpoint.readText(file);
    if (text !== undefined) files.set(file, text);
  }
  return files;
}

function render(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
