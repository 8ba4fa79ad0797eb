// A tokenizer for the tiny checkpoints, which have none.
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";

/** 96 single letters. */
const letters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(33 + i));
const TOKENIZER = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: Object.fromEntries([...letters, "Ġ"].map((token, id) => [token, id])), merges: [] },
};

/** The checkpoint with a tokenizer of 96 letters, and with `changes` to its configuration. */
export const withTinyTokenizer = (checkpoint: Checkpoint, changes: object = {}): Checkpoint => ({
  ...checkpoint,
  readText: async (file) => {
    if (file === "tokenizer.json") return JSON.stringify(TOKENIZER);
    const text = await checkpoint.readText(file);
    return file === "config.json" && text ? JSON.stringify({ ...JSON.parse(text), ...changes }) : text;
  },
});
