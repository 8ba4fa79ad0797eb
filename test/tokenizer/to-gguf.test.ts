import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { ggufValue } from "../../src/checkpoint/gguf-bytes.ts";
import { ggufTokenizer } from "../../src/tokenizer/to-gguf/to-gguf.ts";
import { memoryCheckpoint } from "../model/memory-checkpoint.ts";

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, use_regex: true };

const tokenizer = {
  added_tokens: [
    { id: 4, content: "<s>", special: true },
    { id: 5, content: "</s>", special: true },
    { id: 6, content: "<tool>", special: false },
  ],
  normalizer: null,
  pre_tokenizer: BYTE_LEVEL as object,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: { a: 0, b: 1, Ġ: 2, ab: 3 }, merges: ["a b"] },
};

/** A folder with these files; a text stays as it is, anything else becomes JSON. */
const folder = (files: Readonly<Record<string, unknown>>): Checkpoint => ({
  ...memoryCheckpoint({}, {}),
  readText: async (name) => {
    const content = files[name];
    return content === undefined || typeof content === "string" ? content : JSON.stringify(content);
  },
});

const entries = (files: object, vocabSize = 7): Promise<Map<string, Uint8Array>> =>
  ggufTokenizer(folder({ "tokenizer.json": tokenizer, ...files }), vocabSize);

describe("a byte-level tokenizer in GGUF", () => {
  test("has tokens, types and merges, filled up to the rows of the embedding", async () => {
    const found = await entries({}, 8);
    const tokens = ["a", "b", "Ġ", "ab", "<s>", "</s>", "<tool>", "[PAD7]"];
    expect(found.get("tokenizer.ggml.tokens")).toEqual(ggufValue("string", tokens));
    // 1 normal, 3 control, 4 user-defined, 5 unused
    expect(found.get("tokenizer.ggml.token_type")).toEqual(ggufValue("i32", [1, 1, 1, 1, 3, 3, 4, 5]));
    expect(found.get("tokenizer.ggml.merges")).toEqual(ggufValue("string", ["a b"]));
    expect(found.get("tokenizer.ggml.model")).toEqual(ggufValue("string", "gpt2"));
    expect(found.get("tokenizer.ggml.pre")).toEqual(ggufValue("string", "gpt-2"));
  });

  test("has the special tokens that the folder names, wherever", async () => {
    const found = await entries({
      "tokenizer_config.json": { bos_token: "<s>", eos_token: { content: "</s>" }, pad_token: "<s>" },
      "generation_config.json": { eos_token_id: [5, 6] },
    });
    const idOf = (role: string) => found.get(`tokenizer.ggml.${role}_token_id`);
    expect(["bos", "eos", "eot", "padding"].map(idOf)).toEqual([4, 5, 6, 4].map((id) => ggufValue("u32", id)));
    expect(idOf("unknown")).toBeUndefined();
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["chat_template.jinja", { "chat_template.jinja": "T" }],
    ["chat_template.json", { "chat_template.json": { chat_template: "T" } }],
    ["tokenizer_config.json", { "tokenizer_config.json": { chat_template: "T" } }],
    [
      "a list of named ones",
      {
        "tokenizer_config.json": {
          chat_template: [
            { name: "tool_use", template: "U" },
            { name: "default", template: "T" },
          ],
        },
      },
    ],
  ])("has the chat template of %s", async (_, files) =>
    expect((await entries(files)).get("tokenizer.chat_template")).toEqual(ggufValue("string", "T")),
  );
});

describe("refused, because llama.cpp would find other ids, is a tokenizer", () => {
  test.each<[string, object, string]>([
    [
      "that cuts in a way it has no name for",
      { pre_tokenizer: { type: "Whitespace" } },
      "its pre-tokenizer is not one",
    ],
    ["of another kind", { model: { type: "WordPiece", vocab: { a: 0 } } }, "its kind, WordPiece, is not BPE"],
    [
      "with pieces that are made in several ways, one after another piece",
      {
        pre_tokenizer: { type: "Metaspace" },
        model: { type: "BPE", vocab: { a: 0, aa: 1, b: 2, ab: 3, aab: 4 }, merges: ["a a", "aa b", "a b", "a ab"] },
      },
      "its merges do not follow from scores",
    ],
  ])("%s", async (_, change, message) => {
    await expect(entries({ "tokenizer.json": { ...tokenizer, ...change } })).rejects.toMatchObject({
      kind: "checkpoint",
      message: expect.stringContaining(message),
      hint: "write a folder instead",
    });
  });
});
