// The files of a folder's tokenizer with fewer tokens: all say the same.
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { sentencePieceModel } from "../../../src/tokenizer/gguf/sentencepiece-model.ts";
import { readGgufVocabulary, TOKEN_TYPE } from "../../../src/tokenizer/gguf/vocabulary.ts";
import type { TokenizerJson } from "../../../src/tokenizer/tokenizer-json.ts";
import { namedTokenIds, trimSettings } from "../../../src/tokenizer/trim/id-fields.ts";
import { createRenumbering } from "../../../src/tokenizer/trim/renumbering.ts";
import { trimmerOf } from "../../../src/tokenizer/trim/trim-files.ts";
import { trimGgufVocabulary } from "../../../src/tokenizer/trim/trim-gguf.ts";

const PIECES = ["<unk>", "<s>", "▁", "a", "b", "ab", "▁a", "▁ab"];
const added = (id: number) => ({
  id,
  content: PIECES[id]!,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});
const json = {
  added_tokens: [added(0), added(1)],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: {
    type: "Sequence",
    processors: [
      { type: "TemplateProcessing", single: [], special_tokens: { x: { id: "x", ids: [6], tokens: ["▁a"] } } },
    ],
  },
  decoder: null,
  padding: { pad_id: 6, pad_token: "▁a" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(PIECES.map((piece, id) => [piece, id])),
    merges: ["a b", "▁ a", "▁ ab"],
  },
} satisfies TokenizerJson & { padding: object };

/** Without b, ab and ▁ab. */
const renumbering = createRenumbering([0, 1, 2, 3, 6]);

function trim(name: string, content: string | Uint8Array) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return trimmerOf(name)!({ bytes, json, renumbering });
}
const trimmedJson = (name: string, content: object) => JSON.parse(trim(name, JSON.stringify(content)) as string);

test("tokenizer.json: pieces, merges, and ids around them", () => {
  const trimmed = trimmedJson("tokenizer.json", json);
  expect(trimmed.model).toMatchObject({ vocab: { "<unk>": 0, "<s>": 1, "▁": 2, a: 3, "▁a": 4 }, merges: ["▁ a"] });
  expect(trimmed.padding.pad_id).toBe(4);
  expect(trimmed.post_processor.processors[0].special_tokens.x.ids).toEqual([4]);
});

test("vocab.json, merges.txt, added_tokens.json and tokenizer_config.json", () => {
  expect(trimmedJson("vocab.json", json.model.vocab)).toEqual({ "<unk>": 0, "<s>": 1, "▁": 2, a: 3, "▁a": 4 });
  expect(trim("merges.txt", "#version: 0.2\na b\n▁ a\n▁ ab\n")).toBe("#version: 0.2\n▁ a\n");
  expect(trimmedJson("added_tokens.json", { "▁a": 6 })).toEqual({ "▁a": 4 });
  const config = { bos_token: "<s>", added_tokens_decoder: { 6: { content: "▁a" }, 1: { content: "<s>" } } };
  expect(trimmedJson("tokenizer_config.json", config)).toEqual({
    bos_token: "<s>",
    added_tokens_decoder: { 1: { content: "<s>" }, 4: { content: "▁a" } },
  });
});

describe("tokenizer.model", () => {
  const vocabulary = (() => {
    const { normal, unknown, control } = TOKEN_TYPE;
    const metadata = new Map(
      Object.entries({
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.token_type": [unknown, control, ...PIECES.slice(2).map(() => normal)],
        "tokenizer.ggml.scores": PIECES.map((_, id) => -id),
        "tokenizer.ggml.unknown_token_id": 0,
      }),
    );
    return { metadata, read: readGgufVocabulary({ name: "x", metadata }) };
  })();

  test("keeps the pieces that stay with their scores, and all else", () => {
    const whole = sentencePieceModel(vocabulary.read)!;
    const small = trim("tokenizer.model", whole) as Uint8Array;
    expect(piecesIn(small)).toEqual(piecesIn(whole).filter(({ piece }) => !["b", "ab", "▁ab"].includes(piece)));
    expect(piecesIn(whole)).toHaveLength(8);
    expect(sizeIn(small)).toBe(5);
  });

  test("of another kind goes, and so do vocabularies of other libraries", () => {
    expect(trim("tokenizer.model", "IQ== 0\nIg== 1\n")).toBeUndefined();
    expect(trim("tekken.json", "{}")).toBeUndefined();
    expect(trimmerOf("chat_template.jinja")).toBeUndefined();
  });

  test("a header of GGUF has the same tokens", () => {
    const changes = trimGgufVocabulary(
      new Map([
        ...vocabulary.metadata,
        ["tokenizer.ggml.merges", ["a b", "▁ a"]],
        ["tokenizer.ggml.padding_token_id", 6],
        ["tokenizer.huggingface.json", "{}"],
      ]),
      renumbering,
    );
    expect(changes.get("tokenizer.ggml.tokens")).toEqual(["string", ["<unk>", "<s>", "▁", "a", "▁a"]]);
    expect(changes.get("tokenizer.ggml.scores")).toEqual(["f32", [-0, -1, -2, -3, -6]]);
    expect(changes.get("tokenizer.ggml.merges")).toEqual(["string", ["▁ a"]]);
    expect(changes.get("tokenizer.ggml.padding_token_id")).toEqual(["u32", 4]);
    expect(changes.has("tokenizer.huggingface.json")).toBe(true);
    expect(changes.get("tokenizer.huggingface.json")).toBeUndefined();
  });
});

test("settings: named ids follow, lists lose what has become impossible, sizes change", () => {
  const settings = {
    vocab_size: 8,
    text_config: { vocab_size: 8, image_token_index: 6, hidden_size: 8 },
    eos_token_id: [1, 6],
    pad_token_id: null,
    forced_decoder_ids: [
      [1, 6],
      [2, 5],
    ],
    sequence_bias: [
      [[6, 1], -1.5],
      [[5], 2],
    ],
  };
  expect(namedTokenIds(settings)).toEqual([6, 1, 6]);
  expect(trimSettings(settings, renumbering, { before: 8, after: 5 })).toEqual({
    vocab_size: 5,
    text_config: { vocab_size: 5, image_token_index: 4, hidden_size: 8 },
    eos_token_id: [1, 4],
    pad_token_id: null,
    forced_decoder_ids: [[1, 4]],
    sequence_bias: [[[4, 1], -1.5]],
  });
});

/** Pieces of a ModelProto, and the bytes after each piece's text. */
function piecesIn(bytes: Uint8Array): { piece: string; rest: string }[] {
  const pieces: { piece: string; rest: string }[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 1) {
      reader.skip(type, field);
      continue;
    }
    const message = reader.bytes();
    const inner = new BinaryReader(message);
    inner.tag();
    const piece = inner.string();
    pieces.push({ piece, rest: message.subarray(inner.pos).join() });
  }
  return pieces;
}

/** The number of pieces that the trainer's settings state. */
function sizeIn(bytes: Uint8Array): number | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 2 || type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    const inner = new BinaryReader(reader.bytes());
    while (inner.pos < inner.len) {
      const [name, kind] = inner.tag();
      if (name === 4) return inner.int32();
      inner.skip(kind, name);
    }
  }
  return undefined;
}
