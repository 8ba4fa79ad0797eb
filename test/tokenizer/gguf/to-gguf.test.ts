import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../../src/checkpoint/checkpoint.ts";
import { ggufValue } from "../../../src/checkpoint/gguf-bytes.ts";
import { checkGgufTokenizer, ggufTokenizer, openTokenizerHeldIn } from "../../../src/tokenizer/gguf/to-gguf.ts";
import { memoryCheckpoint } from "../../model/memory-checkpoint.ts";

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

/** Every byte as SentencePiece writes it, then a few pieces. */
const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
const SENTENCE_PIECE = {
  type: "BPE",
  byte_fallback: true,
  vocab: Object.fromEntries([...BYTES, "▁", "a", "b", "ab", "▁a"].map((piece, id) => [piece, id])),
  merges: ["a b", "▁ a"],
};
const LLAMA = {
  type: "Sequence",
  normalizers: [
    { type: "Prepend", prepend: "▁" },
    { type: "Replace", pattern: { String: " " }, content: "▁" },
  ],
};
const sentencePiece = { ...tokenizer, added_tokens: [], normalizer: LLAMA, pre_tokenizer: null, model: SENTENCE_PIECE };

describe("a SentencePiece tokenizer in GGUF", () => {
  test.each<[string, object]>([
    ["with Llama 2's normalizer", {}],
    ["with NFC before it", { normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, LLAMA] } }],
    [
      "with Metaspace",
      { normalizer: null, pre_tokenizer: { type: "Metaspace", prepend_scheme: "first", split: false } },
    ],
    [
      "with a cut at the spaces that are gone",
      { pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false } },
    ],
  ])("%s has scores for its merges", async (_, change) => {
    const found = await entries({ "tokenizer.json": { ...sentencePiece, ...change } }, 261);
    expect(found.get("tokenizer.ggml.model")).toEqual(ggufValue("string", "llama"));
    const scores = [...Array.from({ length: 259 }, () => -1e6), -0, -1];
    expect(found.get("tokenizer.ggml.scores")).toEqual(ggufValue("f32", scores));
    expect(found.get("tokenizer.ggml.add_space_prefix")).toEqual(ggufValue("bool", true));
  });
});

test.each([
  ["Phi-3-mini", ["<s>", "</s>"], "Phi 3-mini"],
  ["my-phi3", ["<s>", "</s>"], "my-phi 3"],
  ["Phi-3-mini", ["<s>", "</s>", "<unk>", "<|endoftext|>"], "Phi-3-mini"],
  ["Phi-4", ["<s>", "</s>"], "Phi-4"],
])(
  "a %s of special tokens %j is called %s, so that llama.cpp misses none of Phi-3's",
  async (name, special, called) => {
    const added = special.map((content, index) => ({ id: 4 + index, content, special: true }));
    const source = { ...folder({ "tokenizer.json": { ...tokenizer, added_tokens: added } }), name: `/models/${name}` };
    expect((await ggufTokenizer(source, 8)).get("general.name")).toEqual(ggufValue("string", called));
  },
);

test("NFC passes, and is gone in the tokenizer that the output holds", async () => {
  const files = { "tokenizer.json": { ...tokenizer, normalizer: { type: "NFC" } } };
  await checkGgufTokenizer(folder(files), 7);
  const held = await openTokenizerHeldIn("gguf", folder(files), 7);
  expect((await entries(files)).get("tokenizer.ggml.pre")).toEqual(ggufValue("string", "gpt-2"));
  expect(held.encode("ab<tool>")).toEqual([3, 6]);
});

describe("refused, because llama.cpp would find other ids, is a tokenizer", () => {
  const normalizer = (part: object) => ({ normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, part] } });
  const ways = { a: 0, aa: 1, b: 2, ab: 3, aab: 4 };
  const bytes = Object.fromEntries(BYTES.map((piece, byte) => [piece, 5 + byte]));

  test.each<[string, object, string]>([
    [
      "that cuts in a way it has no name for",
      { pre_tokenizer: { type: "Whitespace" } },
      "its pre-tokenizer is not one",
    ],
    ["of another kind", { model: { type: "WordPiece", vocab: { a: 0 } } }, "its kind, WordPiece, is not BPE"],
    ["with scores", { model: { type: "Unigram", vocab: [["a", 0]] } }, "its kind, Unigram, is not BPE"],
    ["that marks words", { model: { ...tokenizer.model, end_of_word_suffix: "</w>" } }, "it marks where words begin"],
    ["that makes letters small", { normalizer: { type: "Lowercase" } }, "its normalizer Lowercase changes texts"],
    ["with NFKC", normalizer({ type: "NFKC" }), "its normalizer NFKC changes texts"],
    ["with a table", normalizer({ type: "Precompiled" }), "its normalizer Precompiled changes texts"],
    [
      "that replaces",
      normalizer({ type: "Replace", pattern: { String: "a" }, content: "b" }),
      "its normalizer Replace",
    ],
    [
      "that cuts beside SentencePiece",
      { ...sentencePiece, pre_tokenizer: { type: "Digits" } },
      "its pre-tokenizer Digits is nothing that llama.cpp has",
    ],
    [
      "with SentencePiece but without bytes",
      { ...sentencePiece, model: { ...SENTENCE_PIECE, byte_fallback: false } },
      "it does not spell unknown characters in bytes",
    ],
    [
      "with whole words",
      { ...sentencePiece, model: { ...SENTENCE_PIECE, ignore_merges: true } },
      "it takes whole words without merging them",
    ],
    [
      "with pieces that nothing is merged to",
      { ...sentencePiece, model: { ...SENTENCE_PIECE, merges: ["a b"] } },
      "its merges are not all that its pieces allow",
    ],
    [
      "with pieces that are made in several ways, one after another piece",
      {
        ...sentencePiece,
        model: { ...SENTENCE_PIECE, vocab: { ...ways, ...bytes }, merges: ["a a", "aa b", "a b", "a ab"] },
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

  test("whose added tokens are found elsewhere there", async () => {
    const vocab = Object.fromEntries([..."boat"].map((letter, id) => [letter, id]));
    const added = [{ id: 4, content: "oat", special: false, single_word: true }];
    const files = {
      "tokenizer.json": { ...tokenizer, added_tokens: added, model: { type: "BPE", vocab, merges: [] } },
    };
    await expect(checkGgufTokenizer(folder(files), 5)).rejects.toThrow("there it gives other ids for everyday texts");
  });
});
