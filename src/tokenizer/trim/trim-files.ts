// The files of a folder's tokenizer with fewer tokens: tokenizer.json and what says the same in older forms.
import { isObject, type TokenizerJson } from "../tokenizer-json.ts";
import type { Renumbering } from "./renumbering.ts";
import { trimSentencePiece } from "./sentencepiece.ts";
import { trimTokenizerJson, trimVocab } from "./trim-json.ts";

/** A file as it becomes; undefined for one that cannot be made to say less, which then goes. */
export type TrimmedFile = string | Uint8Array | undefined;

export interface TokenizerFile {
  /** As the folder has it. */
  readonly bytes: Uint8Array;
  /** The tokenizer as the folder's tokenizer.json has it. */
  readonly json: TokenizerJson;
  readonly renumbering: Renumbering;
}

/** By the names of files, all but settings. */
const FILES: readonly (readonly [name: RegExp, trim: (file: TokenizerFile) => TrimmedFile])[] = [
  [/^tokenizer\.json$/, ({ json, renumbering }) => render(trimTokenizerJson(json, renumbering))],
  [/^tokenizer_config\.json$/, ({ bytes, renumbering }) => render(trimTokenizerConfig(objectIn(bytes), renumbering))],
  [/^(vocab|added_tokens)\.json$/, ({ bytes, renumbering }) => render(trimVocab(idsIn(bytes), renumbering))],
  [/^merges\.txt$/, trimMergesFile],
  [
    /^(tokenizer|spiece|sentencepiece\.bpe)\.model$/,
    ({ bytes, json, renumbering }) => trimSentencePiece(bytes, json, renumbering),
  ],
  // vocabularies of other libraries, which read them in place of tokenizer.json
  [/^tekken\.json$|\.tiktoken$/, () => undefined],
];

/** How a file is trimmed; undefined for one that knows nothing of single tokens. */
export const trimmerOf = (name: string): ((file: TokenizerFile) => TrimmedFile) | undefined =>
  FILES.find(([pattern]) => pattern.test(name))?.[1];

const render = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

function objectIn(bytes: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(textOf(bytes));
  if (!isObject(value)) throw new Error("one of its files is not a JSON object");
  return value;
}

const idsIn = (bytes: Uint8Array): Record<string, number> => objectIn(bytes) as Record<string, number>;

/** Its added tokens stand under their ids. */
function trimTokenizerConfig(config: Record<string, unknown>, { idOf }: Renumbering): object {
  const { added_tokens_decoder: added } = config;
  if (!isObject(added)) return config;
  const trimmed = Object.entries(added).flatMap(([old, token]) => {
    const id = idOf(Number(old));
    return id === undefined ? [] : [[id, token] as const];
  });
  return { ...config, added_tokens_decoder: Object.fromEntries(trimmed) };
}

/** Ids that a tokenizer's settings and lists of added tokens name. */
export const namedInFile = (name: string, text: string): number[] => {
  if (name === "added_tokens.json") return Object.values(idsIn(new TextEncoder().encode(text)));
  const { added_tokens_decoder: added } = objectIn(new TextEncoder().encode(text));
  return isObject(added) ? Object.keys(added).map(Number) : [];
};

/** A merge a line, under a line with the version. */
function trimMergesFile({ bytes, json, renumbering }: TokenizerFile): string {
  const [first = "", ...rest] = textOf(bytes).split("\n");
  const isVersion = first.startsWith("#version");
  const merges = (isVersion ? rest : [first, ...rest]).filter((line) => line.includes(" "));
  const { model } = trimTokenizerJson({ ...json, model: { ...json.model, merges } }, renumbering);
  return `${[...(isVersion ? [first] : []), ...(model.merges as string[])].join("\n")}\n`;
}
