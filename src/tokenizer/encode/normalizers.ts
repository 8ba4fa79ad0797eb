// Normalizers of tokenizer.json as functions from text to text.
// Rules: huggingface/tokenizers, tokenizers/src/normalizers/
import { compilePattern } from "../library.ts";
import { isObject, type PartJson } from "../tokenizer-json.ts";
import { charsmapNormalizer } from "./charsmap.ts";

export type Normalize = (text: string) => string;

const FORMS = ["NFC", "NFD", "NFKC", "NFKD"] as const;

const LEADING_SPACE = /^\p{White_Space}+/u;
const TRAILING_SPACE = /\p{White_Space}+$/u;

/** @throws {Error} naming a normalizer that is not known */
export function createNormalizer(json: object | null): Normalize {
  if (!isObject(json)) return (text) => text;
  const part = json as PartJson;
  const form = FORMS.find((name) => name === part.type);
  if (form !== undefined) return (text) => text.normalize(form);
  switch (part.type) {
    case "Sequence": {
      const members = (part.normalizers as (object | null)[]).map(createNormalizer);
      return (text) => members.reduce((result, normalize) => normalize(result), text);
    }
    case "Lowercase":
      return lowercase;
    case "StripAccents":
      return (text) => text.replace(/\p{M}/gu, "");
    case "Strip":
      return strip(part);
    case "Prepend":
      return (text) => (text === "" ? "" : `${String(part.prepend)}${text}`);
    case "Replace":
      return replace(part);
    case "BertNormalizer":
      return bertNormalizer(part);
    case "Precompiled":
      return charsmapNormalizer(part.precompiled_charsmap);
    default:
      throw new Error(`its normalizer ${String(part.type)} is not supported`);
  }
}

/** Character by character: a sigma at the end of a word has no form of its own. */
const lowercase = (text: string): string => text.replace(/\P{ASCII}|[A-Z]/gu, (letter) => letter.toLowerCase());

function strip({ strip_left: left, strip_right: right }: PartJson): Normalize {
  return (text) => {
    const rest = left === true ? text.replace(LEADING_SPACE, "") : text;
    return right === true ? rest.replace(TRAILING_SPACE, "") : rest;
  };
}

function replace({ pattern, content }: PartJson): Normalize {
  const regex = compilePattern(pattern);
  return (text) => text.replace(regex, () => String(content)); // a function: the content is no template
}

/** The ranges of bert.rs, which differ from Unicode's blocks in extension E. */
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const CONTROL = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu;

/** Control characters away, Chinese characters apart, accents and capitals away. */
function bertNormalizer(settings: PartJson): Normalize {
  const lower = settings.lowercase !== false;
  const { clean_text: clean = true, handle_chinese_chars: apart = true, strip_accents: accents } = settings;
  const steps: Normalize[] = [];
  if (clean === true) steps.push((text) => text.replace(CONTROL, "").replace(/\p{White_Space}/gu, " "));
  if (apart === true) steps.push((text) => text.replace(CHINESE, (character) => ` ${character} `));
  if (accents === true || (typeof accents !== "boolean" && lower))
    steps.push((text) => text.normalize("NFD").replace(/\p{Mn}/gu, ""));
  if (lower) steps.push(lowercase);
  return (text) => steps.reduce((result, step) => step(result), text);
}
