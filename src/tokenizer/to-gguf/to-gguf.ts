// A Hugging Face tokenizer as the metadata of a GGUF file.
// Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { ggufValue } from "../../checkpoint/gguf-bytes.ts";
import { CompError } from "../../errors.ts";
import { openTokenizer } from "../tokenizer.ts";
import { isPieceList, type TokenizerSource } from "../tokenizer-json.ts";
import { readTokenizerSource } from "../tokenizer-source.ts";
import { chatTemplate } from "./chat-template.ts";
import { ggufPreTokenizer } from "./pre-tokenizer.ts";
import { isSentencePiece, prefixesSpace, scoresOf } from "./sentencepiece.ts";
import { tokenTable } from "./token-table.ts";

/**
 * Vocabulary, merges or scores, special tokens and chat template of a folder's tokenizer, by key.
 *
 * @param vocabSize rows of the model's embedding: tokens beyond are left out, missing ones filled up
 * @throws {CompError} "checkpoint" when llama.cpp has no name for the tokenizer, so that its ids would be others
 */
export async function ggufTokenizer(checkpoint: Checkpoint, vocabSize: number): Promise<Map<string, Uint8Array>> {
  const source = await readTokenizerSource(checkpoint);
  const { addsBos } = await openTokenizer(checkpoint);
  const { tokens, types } = tokenTable(source.json, vocabSize, isSentencePiece(source.json));
  const entries = new Map<string, Uint8Array>();
  const set = (key: string, ...value: Parameters<typeof ggufValue>): void => {
    entries.set(`tokenizer.${key}`, ggufValue(...value));
  };
  for (const [key, value] of kindEntries(source, checkpoint.name, tokens)) entries.set(`tokenizer.ggml.${key}`, value);
  set("ggml.tokens", "string", tokens);
  set("ggml.token_type", "i32", types);
  for (const [role, id] of Object.entries(specialIds(source, tokens)))
    if (id !== undefined && id < tokens.length) set(`ggml.${role}_token_id`, "u32", id);
  set("ggml.add_bos_token", "bool", addsBos);
  const template = await chatTemplate(checkpoint, source.config);
  if (template !== undefined) set("chat_template", "string", template);
  return entries;
}

/** What distinguishes llama.cpp's two kinds of tokenizer. */
function kindEntries(
  { json }: TokenizerSource,
  name: string,
  tokens: readonly string[],
): [key: string, value: Uint8Array][] {
  const merges = mergesOf(json.model.merges);
  if (json.model.type === "Unigram" || isPieceList(json.model.vocab) || merges === undefined)
    throw unsupported(name, `its kind, ${json.model.type ?? "unknown"}, is not BPE`);
  if (isSentencePiece(json)) {
    const scores = scoresOf(tokens, merges);
    if (scores === undefined) throw unsupported(name, "its merges do not follow from scores");
    return [
      ["model", ggufValue("string", "llama")],
      ["pre", ggufValue("string", "default")],
      ["scores", ggufValue("f32", scores)],
      ["add_space_prefix", ggufValue("bool", prefixesSpace(json))],
    ];
  }
  const pre = ggufPreTokenizer(json);
  if (pre === undefined) throw unsupported(name, "its pre-tokenizer is not one that llama.cpp has a name for");
  return [
    ["model", ggufValue("string", "gpt2")],
    ["pre", ggufValue("string", pre)],
    [
      "merges",
      ggufValue(
        "string",
        merges.map((pair) => pair.join(" ")),
      ),
    ],
  ];
}

/** Merges are pairs, in older files one text with a space between the halves. */
function mergesOf(merges: unknown): [string, string][] | undefined {
  if (!Array.isArray(merges)) return undefined;
  return merges.map((merge: string | [string, string]) => {
    if (typeof merge !== "string") return merge;
    const space = merge.indexOf(" ", 1);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
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
