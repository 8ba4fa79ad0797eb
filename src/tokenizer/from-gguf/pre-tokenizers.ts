// The pre-tokenizers that GGUF files name: which regexes cut a text into words, one after the other.
// Names and regexes: llama.cpp, src/llama-vocab.cpp. Where llama.cpp departs from a model's own regex, so do these.
import { CompError } from "../../errors.ts";
import { GPT2_REGEX } from "../byte-level-regex.ts";

export interface GgufPreTokenizer {
  /** Each regex cuts the pieces that the one before it left. */
  readonly regexes: readonly string[];
  /** A word that is a token is that token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** Whether BOS is prepended when the file does not say. */
  readonly addsBos?: boolean;
}

export const CONTRACTIONS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
/** Letters but those of the other case in ASCII, where models say it by Unicode category. */
export const UPPER = "(?:(?=\\p{L})[^a-z])";
export const LOWER = "(?:(?=\\p{L})[^A-Z])";
const WHITE_SPACE = "\\s+(?!\\S)|\\s+";
const ASCII_PUNCTUATION = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]";

/** Llama 3's regex, and with other numbers of digits in a piece those of its relatives. */
const llama3Regex = (digits: string): string =>
  `(?:${CONTRACTIONS})|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|${WHITE_SPACE}`;

/** Words in capitals or not, told apart by ASCII case only; `suffix` is what may follow the letters. */
const casedRegex = (suffix: string, digits: string): string => {
  const word = (letters: string): string => `[^\\r\\n\\p{L}\\p{N}]?${letters}${suffix}`;
  const words = `${word(`${UPPER}*${LOWER}+`)}|${word(`${UPPER}+${LOWER}*`)}`;
  return `${words}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|${WHITE_SPACE}`;
};

const gpt2: GgufPreTokenizer = { regexes: [GPT2_REGEX] };
const singleDigits: GgufPreTokenizer = { regexes: ["\\p{N}", GPT2_REGEX] };
const qwen2: GgufPreTokenizer = { regexes: [llama3Regex("\\p{N}")] };
const threeDigits: GgufPreTokenizer = { regexes: [llama3Regex("\\p{N}{1,3}")] };
const llama3: GgufPreTokenizer = { ...threeDigits, ignoreMerges: true, addsBos: true };
const gpt4o: GgufPreTokenizer = { regexes: [casedRegex(`(?:${CONTRACTIONS})?`, "\\p{N}{1,3}")] };
const deepseekV3: GgufPreTokenizer = {
  regexes: [
    "\\p{N}{1,3}",
    "[一-龥\\u3040-ゟ゠-ヿ]+",
    `${ASCII_PUNCTUATION}[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|${WHITE_SPACE}`,
  ],
};

const PRE_TOKENIZERS: Readonly<Record<string, GgufPreTokenizer>> = {
  default: { regexes: ["[\\p{P}$+<=>^~|]+", GPT2_REGEX, "\\p{N}+", "[0-9][0-9][0-9]"] },
  falcon: { regexes: ["[\\p{P}$+<=>^~|`]+", GPT2_REGEX, "[0-9][0-9][0-9]"] },
  "gpt-2": gpt2,
  "phi-2": gpt2,
  mpt: gpt2,
  olmo: gpt2,
  jais: gpt2,
  exaone4: gpt2,
  "modern-bert": gpt2,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  "command-r": singleDigits,
  codeshell: singleDigits,
  exaone: singleDigits,
  "minerva-7b": singleDigits,
  "llama-bpe": llama3,
  llama3,
  "llama-v3": llama3,
  falcon3: llama3,
  pixtral: llama3,
  "falcon-h1": llama3,
  lfm2: llama3,
  dbrx: threeDigits,
  "smaug-bpe": threeDigits,
  glm4: threeDigits,
  "chatglm-bpe": threeDigits,
  qwen2,
  "deepseek-r1-qwen": qwen2,
  stablelm2: qwen2,
  megrez: qwen2,
  hunyuan: qwen2,
  "deepseek-v3": deepseekV3,
  "hunyuan-dense": deepseekV3,
  tekken: { regexes: [casedRegex("", "\\p{N}")], ignoreMerges: true, addsBos: true },
  "gpt-4o": gpt4o,
  llama4: gpt4o,
};

/** @throws {CompError} "checkpoint" when the name is not in the table: ids from a guessed one would be wrong */
export function preTokenizerNamed(pre: string, file: string): GgufPreTokenizer {
  const found = Object.hasOwn(PRE_TOKENIZERS, pre) ? PRE_TOKENIZERS[pre] : undefined;
  if (found !== undefined) return found;
  throw new CompError("checkpoint", `${file} names the pre-tokenizer "${pre}", which is not known here`, {
    hint: "give the Hugging Face folder of the model instead: its tokenizer.json needs no such name.",
  });
}

/** The first name of the pre-tokenizer with these regexes; undefined when there is none. */
export const nameOfPreTokenizer = (regexes: readonly string[], ignoreMerges: boolean): string | undefined =>
  Object.entries(PRE_TOKENIZERS).find(
    ([, row]) => (row.ignoreMerges ?? false) === ignoreMerges && row.regexes.join("\n") === regexes.join("\n"),
  )?.[0];
