// tokenizer.json made from a SentencePiece model (Llama 2, Mistral, Gemma): its merges tell the order of the pieces' scores.
import { isObject, type TokenizerJson } from "../tokenizer-json.ts";

const SPACE = "▁";

/** Of pieces that no merge makes: those of added tokens and bytes, which are found otherwise. */
const UNMADE = 1e6;

/** Whether spaces are made visible as SentencePiece does, by the normalizer or by Metaspace. */
export const isSentencePiece = ({ normalizer, pre_tokenizer }: TokenizerJson): boolean =>
  parts(normalizer).some(({ type, content }) => type === "Replace" && content === SPACE) ||
  parts(pre_tokenizer).some(({ type }) => type === "Metaspace");

/** Whether a text gets a space in front. */
export const prefixesSpace = ({ normalizer, pre_tokenizer }: TokenizerJson): boolean =>
  parts(normalizer).some(({ type }) => type === "Prepend") ||
  parts(pre_tokenizer).some(
    (part) =>
      part.type === "Metaspace" && (part.prepend_scheme ?? "always") !== "never" && part.add_prefix_space !== false,
  );

/**
 * Scores by id with which SentencePiece's merging follows `merges`; undefined when none do, because the ways to make a piece
 * do not all come before the next piece's.
 */
export function scoresOf(
  tokens: readonly string[],
  merges: readonly (readonly [string, string])[],
): number[] | undefined {
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

type Part = Readonly<Record<string, unknown>>;

/** The members of a Sequence, or the one part that there is. */
function parts(part: object | null): Part[] {
  if (!isObject(part)) return [];
  const members = part.normalizers ?? part.pretokenizers;
  return Array.isArray(members) ? members.flatMap(parts) : [part];
}
