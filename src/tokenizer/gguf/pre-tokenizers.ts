// The pre-tokenizers that GGUF files name: which regexes cut a text into words, one after the other; and the name for the
// regexes of a tokenizer.json.
// Names and regexes: llama.cpp, src/llama-vocab.cpp. Where llama.cpp departs from a model's own regex, so do these.
import { CompError } from "../../errors.ts";
import { GPT2_REGEX, type PartJson, type TokenizerJson } from "../tokenizer-json.ts";

export interface GgufPreTokenizer {
  /** Each regex cuts the pieces that the one before it left. */
  readonly regexes: readonly string[];
  /** A word that is a token is that token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** Whether BOS is prepended when the file does not say. */
  readonly addsBos?: boolean;
}

const CONTRACTIONS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
/** Letters except ASCII letters of the other case, where the models themselves use Unicode categories. */
const UPPER = "(?:(?=\\p{L})[^a-z])";
const LOWER = "(?:(?=\\p{L})[^A-Z])";
const WHITE_SPACE = "\\s+(?!\\S)|\\s+";
const ASCII_PUNCTUATION = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]";

/** Llama 3's regex, and those of models that differ from it in how many digits make a piece. */
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

/** Parts of regexes as tokenizer.json files have them, and as llama.cpp has them. */
const SPELLINGS: readonly (readonly [theirs: string, ours: string])[] = [
  ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", `(?:${CONTRACTIONS})`],
  ["[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", UPPER],
  ["[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]", LOWER],
];

/** The name of the pre-tokenizer of a byte-level tokenizer.json; undefined when llama.cpp has none for its regexes. */
export function ggufPreTokenizer({ pre_tokenizer, model }: TokenizerJson): string | undefined {
  const regexes = pre_tokenizer === null ? undefined : regexesOf(pre_tokenizer);
  return regexes && nameOfPreTokenizer(regexes.map(llamaSpelling), model.ignore_merges === true);
}

/** The first name of the pre-tokenizer with these regexes; undefined when there is none. */
const nameOfPreTokenizer = (regexes: readonly string[], ignoreMerges: boolean): string | undefined =>
  Object.entries(PRE_TOKENIZERS).find(
    ([, row]) => (row.ignoreMerges ?? false) === ignoreMerges && row.regexes.join("\n") === regexes.join("\n"),
  )?.[0];

const llamaSpelling = (regex: string): string =>
  SPELLINGS.reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), regex);

/** The regexes that cut a text one after the other; undefined when it is also cut in other ways. */
function regexesOf(part: PartJson): string[] | undefined {
  switch (part.type) {
    case "Sequence": {
      const members = (part.pretokenizers as PartJson[]).map(regexesOf);
      return members.every((member) => member !== undefined) ? members.flat() : undefined;
    }
    case "Split":
      return splitRegex(part);
    case "Digits":
      return [part.individual_digits === true ? "\\p{N}" : "\\p{N}+"];
    case "ByteLevel":
      if (part.add_prefix_space === true) return undefined;
      return part.use_regex === false ? [] : [GPT2_REGEX];
    default:
      return undefined;
  }
}

/** Keeping the matches as pieces, or removing what lies between them, is the same where the regex matches everything. */
function splitRegex({ pattern, behavior, invert }: PartJson): string[] | undefined {
  const { Regex: regex } = pattern as { Regex?: string };
  const isolates = behavior === "Isolated" || (behavior === "Removed" && invert === true);
  return regex !== undefined && isolates ? [regex] : undefined;
}
