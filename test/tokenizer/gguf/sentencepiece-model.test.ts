// tokenizer.model made for a GGUF vocabulary: what is in it, and the ids that SentencePiece gives with it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import type { MetadataValue } from "../../../src/checkpoint/checkpoint.ts";
import { tokenizerFiles } from "../../../src/tokenizer/gguf/from-gguf.ts";
import { sentencePieceModel } from "../../../src/tokenizer/gguf/sentencepiece-model.ts";
import { readGgufVocabulary, TOKEN_TYPE } from "../../../src/tokenizer/gguf/vocabulary.ts";
import { openTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { PYTHON } from "../../helpers/models.ts";
import { memoryCheckpoint } from "../../model/memory-checkpoint.ts";

const { normal, unknown, control, userDefined, byte } = TOKEN_TYPE;
const BYTES = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const PIECES = [
  ..."▁etaoinshrdlu",
  "▁t",
  "he",
  "▁the",
  "in",
  "er",
  "an",
  "re",
  "▁▁",
  "▁a",
  "▁s",
  "▁and",
  "nd",
  "ll",
  "aa",
];

const checkpoint = (change: Readonly<Record<string, MetadataValue>> = {}) => {
  const tokens = ["<unk>", "<s>", "</s>", ...BYTES, ...PIECES];
  const metadata: Record<string, MetadataValue> = {
    model: "llama",
    tokens,
    token_type: [unknown, control, control, ...BYTES.map(() => byte), ...PIECES.map(() => normal)],
    scores: tokens.map((_, id) => (id < 259 ? 0 : 258.5 - id)),
    unknown_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
    ...change,
  };
  const named = Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value]);
  return memoryCheckpoint({}, { metadata: Object.fromEntries(named) });
};

const modelOf = (change?: Readonly<Record<string, MetadataValue>>) =>
  sentencePieceModel(readGgufVocabulary(checkpoint(change)));

/** Fields of a message by number, each with all of its values; messages are bytes, other values numbers. */
function parse(bytes: Uint8Array): Record<number, (Uint8Array | number)[]> {
  const reader = new BinaryReader(bytes);
  const fields: Record<number, (Uint8Array | number)[]> = {};
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    fields[field] ??= [];
    fields[field].push(readValue(reader, type));
  }
  return fields;
}

const readValue = (reader: BinaryReader, type: WireType): Uint8Array | number =>
  type === 2 ? reader.bytes() : type === 5 ? reader.float() : reader.int32();

const text = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);

const piecesIn = (bytes: Uint8Array) =>
  parse(bytes)[1]!.map((piece) => {
    const { 1: name, 2: score, 3: type } = parse(piece as Uint8Array);
    return [text(name![0]), score![0], type![0]];
  });

test("pieces keep their scores and types", () => {
  const pieces = piecesIn(modelOf()!);
  expect(pieces).toHaveLength(259 + PIECES.length);
  expect(pieces[0]).toEqual(["<unk>", 0, 2]);
  expect(pieces[1]).toEqual(["<s>", 0, 3]);
  expect(pieces[13]).toEqual(["<0x0A>", 0, 6]);
  expect(pieces[259]).toEqual(["▁", -0.5, 1]);
  expect(pieces.at(-1)).toEqual(["aa", 258.5 - (258 + PIECES.length), 1]);
});

test("the trainer's settings say BPE, bytes and special tokens; the normalizer's leave the text as it is", () => {
  const { 2: trainer, 3: normalizer } = parse(modelOf({ add_space_prefix: false })!);
  expect(parse(trainer![0] as Uint8Array)).toMatchObject({ 3: [2], 4: [286], 35: [1], 40: [0], 41: [1], 42: [2] });
  expect(parse(normalizer![0] as Uint8Array)).toMatchObject({ 3: [0], 4: [0], 5: [1] });
});

test("user-defined tokens have visible spaces, unless another token has that name", () => {
  const tokens = ["<unk>", "▁", "▁▁", "  ", "a b"];
  const token_type = [unknown, normal, normal, userDefined, userDefined];
  const pieces = piecesIn(modelOf({ tokens, token_type, scores: [0, 0, 0, 0, 0] })!);
  expect(pieces.map(([name]) => name)).toEqual(["<unk>", "▁", "▁▁", "  ", "a▁b"]);
});

test("without an unknown token there is no file", () => {
  const types = [control, control, control, ...BYTES.map(() => byte), ...PIECES.map(() => normal)];
  expect(modelOf({ token_type: types, unknown_token_id: -1 })).toBeUndefined();
});

test("it lies beside tokenizer.json, which names user-defined tokens for llama.cpp's converter", () => {
  const types: number[] = [unknown, control, control, ...BYTES.map(() => byte), ...PIECES.map(() => normal)];
  types[types.length - 1] = userDefined;
  const files = tokenizerFiles(checkpoint({ token_type: types, add_space_prefix: false }));
  expect([...files.keys()]).toEqual(["tokenizer.json", "tokenizer_config.json", "tokenizer.model"]);
  const config = JSON.parse(files.get("tokenizer_config.json") as string);
  expect(config.add_prefix_space).toBe(false);
  expect(Object.keys(config.added_tokens_decoder)).toEqual([String(types.length - 1)]);
});

describe("SentencePiece", () => {
  const texts = [
    "the sand in the inner lane",
    "  the  and\nthe\ttea",
    "aaaaaaa aa",
    "unseen letters: XYZ, é, 日本, 😀, e\u0301",
    "there is an error in all hens and the rear ends",
    "",
  ];

  test.for([true, false])("gives our ids, with a space in front: %o", async (add_space_prefix, { skip }) => {
    const { encode } = await openTokenizer(checkpoint({ add_space_prefix }));
    const ids = sentencePieceIds(modelOf({ add_space_prefix })!, texts);
    skip(ids === undefined, "there is no Python with sentencepiece");
    expect(texts.map(encode)).toEqual(ids);
  });
});

/** Undefined where there is no Python with SentencePiece. */
function sentencePieceIds(model: Uint8Array, texts: readonly string[]): number[][] | undefined {
  if (!existsSync(PYTHON)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "comp-test-"));
  try {
    const file = join(folder, "tokenizer.model");
    writeFileSync(file, model);
    const script = join(import.meta.dirname, "sentencepiece-ids.py");
    const { stdout, stderr, status } = spawnSync(PYTHON, [script, file], { input: JSON.stringify(texts) });
    if (String(stderr).includes("No module named 'sentencepiece'")) return undefined;
    if (status !== 0) throw new Error(String(stderr));
    return JSON.parse(String(stdout)) as number[][];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
