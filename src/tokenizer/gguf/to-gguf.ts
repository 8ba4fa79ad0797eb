// A Hugging Face tokenizer as the metadata of a GGUF file.
// Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"
import type { Checkpoint, MetadataValue } from "../../checkpoint/checkpoint.ts";
import { ggufValue } from "../../checkpoint/gguf-bytes.ts";
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import { baseName } from "../../checkpoint/storage.ts";
import { CompError } from "../../errors.ts";
import { addsBos } from "../post-processor.ts";
import { createTokenizer, openTokenizer, type Tokenizer } from "../tokenizer.ts";
import { isPieceList, mergePairs, type TokenizerJson, type TokenizerSource } from "../tokenizer-json.ts";
import { chatTemplate, readTokenizerSource } from "../tokenizer-source.ts";
import { tokenizerFromGguf } from "./from-gguf.ts";
import { ggufPreTokenizer } from "./pre-tokenizers.ts";
import { isSentencePiece, prefixesSpace, whyUnholdable } from "./unholdable.ts";
import { SPACE, TOKEN_TYPE } from "./vocabulary.ts";

/** How SentencePiece writes a byte that is a token. */
const BYTE = /^<0x[0-9A-F]{2}>$/;

/** Score of the pieces that no merge makes: those of added tokens and bytes, which are found otherwise. */
const UNMADE = 1e6;

/** Texts of everyday kinds, on which the tokenizer in GGUF must give the ids that it gave before. */
const PROBE = [
  "The old man's boat (he'd built it in 1952) wasn't big: 12.5 m, 3,400 kg!\n\n\tIt cost £20 -- or $30?  He said: 'No.'\r\n",
  "Où est-il né ? Ça dépend, à Zürich; el niño está aquí. Привет, мир. Καλημέρα κόσμε. 今日は良い天気です。 你好，世界。 안녕하세요 مرحبا नमस्ते",
  'for (let i = 0; i < 10; i++) { x[i] += f(i, "a_b") ** 2; } // 😀\n\n\n    return x;\n',
].join("");

/** Names of models of which llama.cpp believes that it knows their special tokens: without these it does not load the file. */
const PHI3_NAME = /(phi)-?(3)/gi;
const PHI3_TOKENS = ["</s>", "<unk>", "<s>", "<|endoftext|>"];

type Fields = Map<string, readonly [GgufType, MetadataValue & Parameters<typeof ggufValue>[1]]>;

/**
 * Vocabulary, merges or scores, special tokens and chat template of a folder's tokenizer, by key; the name of the model too,
 * from which llama.cpp concludes how to read them.
 *
 * @param vocabSize rows of the model's embedding: tokens beyond are left out, missing ones filled up
 * @throws {CompError} "checkpoint" when llama.cpp would give other ids, naming what of the tokenizer it does not have
 */
export async function ggufTokenizer(checkpoint: Checkpoint, vocabSize: number): Promise<Map<string, Uint8Array>> {
  const fields = await fieldsOf(checkpoint, vocabSize);
  return new Map(Array.from(fields, ([key, [type, value]]) => [key, ggufValue(type, value)]));
}

/** Tries a folder's tokenizer as GGUF has it on a text of everyday kinds. @throws {CompError} "checkpoint" as `ggufTokenizer` */
export async function checkGgufTokenizer(checkpoint: Checkpoint, vocabSize: number): Promise<void> {
  if (checkpoint.format === "gguf") return; // is carried over
  const before = await openTokenizer(checkpoint);
  const after = await openTokenizerHeldIn("gguf", checkpoint, vocabSize);
  if (before.encode(PROBE).join() !== after.encode(PROBE).join())
    throw unsupported(checkpoint.name, "there it gives other ids for everyday texts");
}

/**
 * The tokenizer of a checkpoint as an output of a format holds it: in GGUF what a folder has beyond llama.cpp, such as the
 * normalizer NFC, is gone. @throws {CompError} "checkpoint" as `ggufTokenizer`
 */
export async function openTokenizerHeldIn(
  format: Checkpoint["format"],
  checkpoint: Checkpoint,
  vocabSize: number,
): Promise<Tokenizer> {
  if (format === checkpoint.format || format === "safetensors") return openTokenizer(checkpoint);
  return tokenizerOf(await fieldsOf(checkpoint, vocabSize), checkpoint.name);
}

const tokenizerOf = (fields: Fields, name: string): Tokenizer =>
  createTokenizer(
    tokenizerFromGguf({ name, metadata: new Map(Array.from(fields, ([key, [, value]]) => [key, value])) }),
    name,
  );

async function fieldsOf(checkpoint: Checkpoint, vocabSize: number): Promise<Fields> {
  const source = await readTokenizerSource(checkpoint);
  const why = whyUnholdable(source.json);
  if (why !== undefined) throw unsupported(checkpoint.name, why);
  const { tokens, types } = tokenTable(source.json, vocabSize, isSentencePiece(source.json));
  const template = await chatTemplate(checkpoint, source.config);
  const special = Object.entries(specialIds(source, tokens)).filter(([, id]) => id !== undefined && id < tokens.length);
  return new Map([
    ["general.name", ["string", nameWith(tokens, baseName(checkpoint.name))]],
    ...kindFields(source.json, checkpoint.name, tokens),
    ["tokenizer.ggml.tokens", ["string", tokens]],
    ["tokenizer.ggml.token_type", ["i32", types]],
    ...special.map(([role, id]) => [`tokenizer.ggml.${role}_token_id`, ["u32", id!]] as const),
    ["tokenizer.ggml.add_bos_token", ["bool", addsBos(source)]],
    ...(template === undefined ? [] : [["tokenizer.chat_template", ["string", template]] as const]),
  ]);
}

/** The name of the model, so that it does not promise llama.cpp tokens that are not there. */
const nameWith = (tokens: readonly string[], name: string): string =>
  PHI3_TOKENS.every((token) => tokens.includes(token)) ? name : name.replace(PHI3_NAME, "$1 $2");

/** What distinguishes llama.cpp's two kinds of tokenizer. */
function kindFields(json: TokenizerJson, name: string, tokens: readonly string[]): Fields {
  const merges = mergePairs(json.model)!;
  if (!isSentencePiece(json))
    return new Map([
      ["tokenizer.ggml.model", ["string", "gpt2"]],
      ["tokenizer.ggml.pre", ["string", ggufPreTokenizer(json)!]],
      ["tokenizer.ggml.merges", ["string", merges.map((pair) => pair.join(" "))]],
    ]);
  const scores = scoresOf(tokens, merges);
  if (scores === undefined) throw unsupported(name, "its merges do not follow from scores");
  return new Map([
    ["tokenizer.ggml.model", ["string", "llama"]],
    ["tokenizer.ggml.pre", ["string", "default"]],
    ["tokenizer.ggml.scores", ["f32", scores]],
    ["tokenizer.ggml.add_space_prefix", ["bool", prefixesSpace(json)]],
  ]);
}

const unsupported = (name: string, why: string): CompError =>
  new CompError("checkpoint", `the tokenizer of ${name} has no form in GGUF: ${why}`, {
    hint: "write a folder instead",
  });

function specialIds(
  { json, config, specialTokens: { bosTokenId, eosTokenIds } }: TokenizerSource,
  tokens: readonly string[],
): Record<string, number | undefined> {
  const idOf = (token: unknown): number | undefined => {
    const text = typeof token === "object" ? (token as { content?: unknown } | null)?.content : token;
    const id = typeof text === "string" ? tokens.indexOf(text) : -1;
    return id < 0 ? undefined : id;
  };
  return {
    bos: bosTokenId,
    eos: eosTokenIds[0],
    eot: eosTokenIds[1],
    unknown: idOf(config.unk_token ?? json.model.unk_token),
    padding: idOf(config.pad_token),
  };
}

/** Tokens and their types by id, exactly `size` of them; ids that no token has are unused ones. */
function tokenTable(
  { model, added_tokens: added }: TokenizerJson,
  size: number,
  sentencePiece: boolean,
): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Array<number>(size).fill(TOKEN_TYPE.unused);
  const put = (id: number, token: string, type: number): void => {
    if (id >= size) return;
    tokens[id] = token;
    types[id] = type;
  };
  const vocab = isPieceList(model.vocab) ? [] : Object.entries(model.vocab);
  for (const [token, id] of vocab)
    put(id, token, sentencePiece && BYTE.test(token) ? TOKEN_TYPE.byte : TOKEN_TYPE.normal);
  for (const { id, content, special } of added) {
    // llama.cpp looks for user-defined tokens in the text as it is written, before its spaces are made visible.
    if (special) put(id, content, TOKEN_TYPE.control);
    else put(id, sentencePiece ? content.replaceAll(SPACE, " ") : content, TOKEN_TYPE.userDefined);
  }
  const unknown = tokens.indexOf(String(model.unk_token));
  if (sentencePiece && unknown >= 0) types[unknown] = TOKEN_TYPE.unknown;
  return { tokens, types };
}

/**
 * Scores by id with which SentencePiece's merging follows `merges`; undefined when none do, because the ways to make a piece
 * do not all come before the next piece's.
 */
function scoresOf(tokens: readonly string[], merges: readonly (readonly [string, string])[]): number[] | undefined {
  const ranks = new Map<string, number>();
  let last: string | undefined;
  for (const [left, right] of merges) {
    const piece = left + right;
    if (piece === last) continue;
    if (ranks.has(piece)) return undefined;
    ranks.set(piece, ranks.size);
    last = piece;
  }
  return tokens.map((token) => -(ranks.get(token) ?? UNMADE));
}
